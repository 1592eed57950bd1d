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
	"github.com/atonehq/atone/saga/evidence"
	"github.com/atonehq/atone/saga/explore"
)

// App is a program with atone's command line. Only Name is required.
type App struct {
	// Name is the program's name. Short describes the program in one line.
	Name, Short string
	// Version is what `version` prints; empty means the version in the build information.
	Version string
	// Sagas and Actions are what the program can run. Actions need not list those of the sagas.
	Sagas   []saga.AnySaga
	Actions []saga.AnyAction
	// Samples means that Sagas and Actions are only to be played with: files of sagas may have the
	// same names, and `serve --sagas` runs what the files have in their place.
	Samples bool
	// Triggers start sagas from domain events, while `serve` runs.
	Triggers []saga.AnyTrigger
	// Views are the program's own views. `serve` keeps them up to date beside atone's views, in the
	// same place; `projections` lists and rebuilds them. Query them with [Setup.Views].
	Views []projections.View
	// Explorations are what the command `explore` plays; tests play the same with sagatest.Play. A
	// saga has at most one.
	Explorations []*explore.Exploration
	// Build is what the program is built of, for `explore --record`; zero means what the binary
	// says.
	Build evidence.Build
	// Flags adds flags of the program's own to every command; may be nil.
	Flags func(flags *pflag.FlagSet)
	// Setup opens what the actions use, and adjusts the coordinator's configuration. It is called
	// after the flags are read and before a coordinator is made. Commands that only read don't call
	// it. May be nil.
	Setup func(ctx context.Context, s *Setup) error
	// Commands are the program's own commands.
	Commands []*cobra.Command
}

// Setup is what [App.Setup] may read and change.
type Setup struct {
	// Data is the data directory.
	Data string
	// Config is the coordinator's, or the worker's; its Log is set later.
	Config saga.Config
	// Log is the log that the coordinator will run on. The program may read and follow it, and
	// append to its own streams. It is open until the coordinator has stopped. Nil for a worker.
	Log domain.Log
	// Worker means that the command is `worker`: there is no coordinator, no log, and perhaps no
	// data directory. Setup then only opens what the actions use, and sets the broker.
	Worker bool

	host *host.Setup
}

// OnClose registers f to be called when the coordinator has stopped. The last f is called first.
func (s *Setup) OnClose(f func() error) { s.host.OnClose(f) }

// Views returns a reader of the views, atone's and the app's own. `serve` keeps them up to date;
// other commands see them as `serve` left them.
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

// env returns the environment of the app's commands.
func (app *App) env(s Streams) *access.Env {
	return &access.Env{Console: &console.Console{In: s.In, Out: s.Out, Err: s.Err, Getenv: os.Getenv}, Program: app.program()}
}

// program is the part of the app that makes a coordinator.
func (app *App) program() *host.Program {
	p := &host.Program{Name: app.Name, Version: app.Version, Sagas: app.Sagas, Actions: app.Actions, Samples: app.Samples, Triggers: app.Triggers, Views: app.Views, Explorations: app.Explorations, Built: app.Build}
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
