package program

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/act"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/explore"
	"github.com/atonehq/atone/cmd/internal/guide"
	"github.com/atonehq/atone/cmd/internal/look"
	"github.com/atonehq/atone/cmd/internal/offline"
	"github.com/atonehq/atone/cmd/internal/serve"
	"github.com/atonehq/atone/cmd/internal/tty"
)

// Main runs the program's command line and exits the process with the code that [Run] returns.
// The first interrupt (SIGINT, SIGTERM) ends the command in order; a second one ends the process
// at once.
//
// Unless GOMAXPROCS is set in the environment, Main raises Go's own choice by one: the embedded log
// nearly always has one thread in fdatasync, and Go's scheduler counts such a thread as one that
// computes (ADR 17).
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

// Run runs one command line and returns the exit code. It writes errors to Streams.Err, together
// with what to do next. It is safe to call concurrently.
func Run(ctx context.Context, app App, args []string, s Streams) Exit {
	env := app.env(s)
	env.Line = append([]string{app.Name}, args...)
	root := newRoot(&app, env)
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	env.Command = strings.Fields(ran.CommandPath())[1:]
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
		Version:       env.Program.VersionText(),
		Args:          cobra.ArbitraryArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	env.AddFlags(root.PersistentFlags())
	if app.Flags != nil {
		app.Flags(root.PersistentFlags())
	}
	root.AddCommand(serve.Command(env), serve.WorkerCommand(env), offline.LogCommand(env), explore.Command(env, look.OutlookCommand(env)), newExitCodesTopic())
	root.AddCommand(look.Commands(env, offline.AuditCommands(env), act.IncidentCommands(env), act.RejectedCommands(env))...)
	root.AddCommand(act.Commands(env)...)
	for _, c := range app.Commands {
		if c.Args != nil {
			c.Args = console.Usage(c.Args)
		}
		root.AddCommand(c)
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	guide.Apply(root, env)
	return root
}

// complain writes an error, and what to do next.
func complain(env *access.Env, err error, code Exit) {
	next, text := advice(env, err), strings.TrimSpace(env.AsTyped(words(env, err)))
	if env.JSON() {
		enc := json.NewEncoder(env.Err)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(struct { // if Err can't be written to, nothing helps
			Error string         `json:"error"`
			Next  string         `json:"next,omitempty"`
			Steps []console.Step `json:"next_steps,omitempty"`
			Exit  Exit           `json:"exit_code"`
		}{text, console.Text(next), next, code})
		return
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, console.Plain(strings.TrimRight(line, "\n")))
	}
	p := tty.PaletteFor(env.Err)
	_, _ = fmt.Fprintf(env.Err, "%s %s\n", p.Bad(env.Program.Name+":"), strings.Join(lines, "\n"))
	_ = env.Hint(next...)
}
