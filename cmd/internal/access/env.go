package access

import (
	"errors"
	"os/user"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
)

// Env is the environment of a command: the program, its console, and the flags that all commands
// have.
type Env struct {
	*console.Console
	Program *host.Program
	// Data is the data directory that is given; see [Env.DataDir].
	Data string
	// Doubt says what is not known where the command's act has no answer; the zero value will do.
	Doubt Doubt

	actor, server, token string
	flags                *pflag.FlagSet
	lost                 *lost
}

// AddFlags adds the flags of all commands.
func (env *Env) AddFlags(f *pflag.FlagSet) {
	env.flags, env.lost = f, new(lost)
	f.StringVar(&env.Data, "data", env.Getenv("ATONE_DATA"), "the data directory (ATONE_DATA)")
	// The environment's values are not the flags' defaults, because help shows defaults, and the
	// token is a secret.
	f.StringVar(&env.server, "server", "", "talk to a running server, such as http://127.0.0.1:7070 (ATONE_SERVER)")
	f.StringVar(&env.token, "token", "", "the API token, or @FILE; ATONE_TOKEN is safer, because other users can see command lines")
	formats := []string{console.FormatTable, console.FormatWide, console.FormatJSON}
	f.VarP(&console.OneOf{Value: &env.Output, List: formats}, "output", "o", "the output format: table, wide or json")
	env.JSONFlag(f)
	f.BoolVar(&env.UTC, "utc", false, "print dates in UTC instead of ages such as 5m ago")
	f.BoolVar(&env.Local, "local", false, "print dates in this machine's time zone instead of ages")
	f.StringVar(&env.actor, "actor", env.Getenv("ATONE_ACTOR"), "who acts, for the audit trail (ATONE_ACTOR; default: you)")
	f.BoolVarP(&env.Verbose, "verbose", "v", false, "log details to standard error")
}

// Given reports whether the command line, not the environment, gives the flag.
func (env *Env) Given(flag string) bool { return env.flags != nil && env.flags.Changed(flag) }

// CommandLine is a command of this program on the same server or directory, to be copied: where
// that is in the environment it need not be said.
func (env *Env) CommandLine(words ...string) string {
	line := env.Program.Name + " " + console.Words(words...)
	for _, flag := range []struct{ name, value string }{{"server", env.server}, {"data", env.Data}} {
		if env.Given(flag.name) {
			return line + " --" + flag.name + " " + console.Words(flag.value)
		}
	}
	return line
}

// DataDir returns the data directory, which must be given.
func (env *Env) DataDir() (string, error) {
	if env.Data == "" {
		return "", console.UsageError{Err: errors.New("no data directory: give --data DIR, or set ATONE_DATA")}
	}
	return env.Data, nil
}

// Who returns the person who acts.
func (env *Env) Who() string {
	if env.actor != "" {
		return env.actor
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "cli"
}
