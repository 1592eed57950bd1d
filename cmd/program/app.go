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
	// Config is the coordinator's; its Log is set later.
	Config saga.Config

	onClose func(func() error)
}

// OnClose has f called when the coordinator has stopped; the last one given is called first.
func (s *Setup) OnClose(f func() error) { s.onClose(f) }

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
	p := &host.Program{Name: app.Name, Version: app.Version, Sagas: app.Sagas, Actions: app.Actions, Triggers: app.Triggers}
	if app.Setup != nil {
		p.Setup = func(ctx context.Context, h *host.Setup) error {
			s := &Setup{Data: h.Data, Config: h.Config, onClose: h.OnClose}
			err := app.Setup(ctx, s)
			h.Config = s.Config
			return err
		}
	}
	return p
}
