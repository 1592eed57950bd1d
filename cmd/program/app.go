package program

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	// Setup is called, after the flags were read, before a coordinator is made: to open what the actions
	// use, and to adjust the coordinator. Nil means that there is nothing to do. Commands
	// that run nothing, such as `sagas`, don't call it.
	Setup func(ctx context.Context, s *Setup) error
	// Commands are further commands of the program's own.
	Commands []*cobra.Command
}

// Setup is what [App.Setup] may change.
type Setup struct {
	// Data is the data directory.
	Data string
	// Config is the coordinator's; its Log is set later.
	Config saga.Config

	closers []func() error
}

// OnClose has f called when the coordinator has stopped; the last one given is called first.
func (s *Setup) OnClose(f func() error) { s.closers = append(s.closers, f) }

// Streams are a command's standard input and outputs. Several goroutines may write to Err at once.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the program's command line and exits the process with the code that [Run] returns. Interrupts
// (SIGINT, SIGTERM) end the command in an orderly way; a second one ends the process at once.
//
// Unless GOMAXPROCS is set in the environment, Main raises it by one over Go's own choice: the embedded log has nearly
// always one thread in fdatasync, and Go's scheduler counts a thread that waits there as one that computes (ADR 17).
func Main(app App) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := Run(ctx, app, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(int(code))
}

// Run runs one command line and returns the exit code. Errors are written to Streams.Err, with what to
// do next. It is safe to call concurrently.
func Run(ctx context.Context, app App, args []string, s Streams) Exit {
	env := &environment{app: app, Streams: s, getenv: os.Getenv}
	root := newRootCommand(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	code := exitOf(err)
	env.complain(err, code)
	return code
}

func newRootCommand(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:           env.app.Name,
		Short:         env.app.Short,
		SilenceErrors: true, // Run writes them
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return cmd.Help()
		},
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	env.addFlags(root.PersistentFlags())
	if env.app.Flags != nil {
		env.app.Flags(root.PersistentFlags())
	}
	root.AddCommand(commands(env)...)
	for _, c := range env.app.Commands {
		if c.Args != nil {
			c.Args = usage(c.Args)
		}
		root.AddCommand(c)
	}
	root.AddCommand(newExitCodesTopic())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

// commands lists the commands that every program has.
func commands(env *environment) []*cobra.Command {
	list := []*cobra.Command{
		newServeCommand(env),
		newStartCommand(env),
		newInvokeCommand(env),
		newShowCommand(env),
		newSagasCommand(env),
		newActionsCommand(env),
		newVersionCommand(env),

		newRunsCommand(env),
		newAuditCommand(env),
		newWhyCommand(env),
		newUndoPreviewCommand(env),
		newIncidentsCommand(env),
		newStatsCommand(env),
		newBulkCommand(env),
		newEmitCommand(env),
		newExportCommand(env),
		newTokenCommand(env),
		newProjectionsCommand(env),
		newLogCommand(env),
	}
	return append(list, newActCommands(env)...)
}
