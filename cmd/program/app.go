package program

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

// App is a program with atone's command line. Only Name is required.
type App struct {
	// Name is the program's name; Short says in a line what it is for.
	Name, Short string
	// Version is what `version` prints; empty means the version in the build information.
	Version string
	// Sagas and Actions are what the program can run, all actions of the sagas included.
	Sagas   []saga.AnySaga
	Actions []saga.AnyAction
	// Triggers start sagas from domain events, while `serve` runs.
	Triggers []saga.AnyTrigger
	// Views are kept up to date by `serve`, beside atone's own, in the same place; `projections`
	// lists and rebuilds them. Ask them by [Setup.Views].
	Views []projections.View
	// Flags adds flags of the program's own to every command; may be nil.
	Flags func(flags *pflag.FlagSet)
	// Setup is called, after the flags were read, before a coordinator is made: to open what the
	// actions use, and to adjust the coordinator. Nil means that there is nothing to do. Commands
	// that only look at something don't call it.
	Setup func(ctx context.Context, s *Setup) error
	// Commands are further commands of the program's own.
	Commands []*cobra.Command
}

// Setup is what [App.Setup] may look at and change.
type Setup struct {
	// Data is the data directory.
	Data string
	// Config is the coordinator's, or the worker's; its Log is set later.
	Config saga.Config
	// Log is the log that the coordinator is going to run on: to read and follow it, and to append
	// to streams of the program's own. It is open until the coordinator has stopped. Nil for a
	// worker.
	Log domain.Log
	// Worker means that the command is `worker`: there is no coordinator, no log, and perhaps no
	// data directory. Only what the actions use is wanted, and the broker.
	Worker bool

	host *host.Setup
}

// OnClose has f called when the coordinator has stopped; the last one given is called first.
func (s *Setup) OnClose(f func() error) { s.host.OnClose(f) }

// Views returns a reader of the views, atone's and the app's own. They are kept up to date while
// `serve` runs; other commands find them as `serve` left them.
func (s *Setup) Views(ctx context.Context) (*projections.Reader, error) {
	store, err := s.host.Views.Store(ctx)
	if err != nil {
		return nil, err
	}
	return projections.NewReader(store), nil
}

// Streams are a command's standard input and outputs. Several goroutines may write to Err at once.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// env returns what the app's commands work with.
func (app *App) env(s Streams) *access.Env {
	return &access.Env{Console: &console.Console{In: s.In, Out: s.Out, Err: s.Err}, Program: app.program(), Getenv: os.Getenv}
}

// program is the part of the app that a coordinator is made from.
func (app *App) program() *host.Program {
	p := &host.Program{Name: app.Name, Version: app.Version, Sagas: app.Sagas, Actions: app.Actions, Triggers: app.Triggers, Views: app.Views}
	if app.Setup != nil {
		p.Setup = func(ctx context.Context, h *host.Setup) error {
			s := &Setup{Data: h.Data, Config: h.Config, Log: h.Log, Worker: h.Worker, host: h}
			err := app.Setup(ctx, s)
			h.Config = s.Config
			return err
		}
	}
	return p
}
