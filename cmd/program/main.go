package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/act"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/look"
	"github.com/atonehq/atone/cmd/internal/offline"
	"github.com/atonehq/atone/cmd/internal/serve"
	"github.com/atonehq/atone/cmd/internal/tty"
)

// Main runs the program's command line and exits the process with the code that [Run] returns.
// Interrupts (SIGINT, SIGTERM) end the command in an orderly way; a second one ends the process at
// once.
//
// Unless GOMAXPROCS is set in the environment, Main raises it by one over Go's own choice: the
// embedded log has nearly always one thread in fdatasync, and Go's scheduler counts a thread that
// waits there as one that computes (ADR 17).
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

// Run runs one command line and returns the exit code. Errors are written to Streams.Err, with what
// to do next. It is safe to call concurrently.
func Run(ctx context.Context, app App, args []string, s Streams) Exit {
	env := app.env(s)
	root := newRoot(&app, env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	code := exitOf(err)
	complain(env, err, code)
	return code
}

func newRoot(app *App, env *access.Env) *cobra.Command {
	root := &cobra.Command{
		Use:           app.Name,
		Short:         app.Short,
		SilenceErrors: true, // Run writes them
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return console.UsageError{Err: fmt.Errorf("unknown command %q", args[0])}
			}
			return cmd.Help()
		},
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return console.UsageError{Err: err} })
	env.AddFlags(root.PersistentFlags())
	if app.Flags != nil {
		app.Flags(root.PersistentFlags())
	}
	root.AddCommand(serve.Command(env), serve.WorkerCommand(env), offline.LogCommand(env), newExitCodesTopic())
	root.AddCommand(look.Commands(env, offline.AuditCommands(env)...)...)
	root.AddCommand(act.Commands(env)...)
	for _, c := range app.Commands {
		if c.Args != nil {
			c.Args = console.Usage(c.Args)
		}
		root.AddCommand(c)
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

// complain writes an error, and what to do next.
func complain(env *access.Env, err error, code Exit) {
	next, text := advice(env, err), strings.TrimSpace(words(env, err))
	if env.JSON() {
		enc := json.NewEncoder(env.Err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(struct { // nobody is left to tell
			Error string `json:"error"`
			Next  string `json:"next,omitempty"`
			Exit  Exit   `json:"exit_code"`
		}{text, next, code})
		return
	}
	p := tty.PaletteFor(env.Err)
	_, _ = fmt.Fprintf(env.Err, "%s %s\n", p.Bad(env.Program.Name+":"), text)
	if next != "" {
		_, _ = fmt.Fprintf(env.Err, "next: %s\n", next)
	}
}

// words returns what an error says. People who work on a data directory need not know which request
// to the API failed, and with which status.
func words(env *access.Env, err error) string {
	if p, ok := errors.Unwrap(err).(*client.ProblemError); ok && !env.Remote() {
		return strings.TrimSuffix(p.Error(), fmt.Sprintf(" (HTTP %d)", p.Status))
	}
	return err.Error()
}
