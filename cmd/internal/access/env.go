package access

import (
	"errors"
	"os/user"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
)

// Env is what a command works with: the program, its console, and the flags that all commands have.
type Env struct {
	*console.Console
	Program *host.Program
	// Getenv returns a variable of the environment.
	Getenv func(string) string
	// Data is the data directory that is given; see [Env.DataDir].
	Data string

	actor, server, token string
	flags                *pflag.FlagSet
}

// AddFlags adds the flags of all commands.
func (env *Env) AddFlags(f *pflag.FlagSet) {
	env.flags = f
	f.StringVar(&env.Data, "data", env.Getenv("ATONE_DATA"), "the data directory (ATONE_DATA)")
	// The environment's values are not the defaults: help shows those, and one of them is a secret.
	f.StringVar(&env.server, "server", "", "talk to a running server, such as http://127.0.0.1:7070 (ATONE_SERVER)")
	f.StringVar(&env.token, "token", "", "the API token, or @FILE; better in ATONE_TOKEN, as others see command lines")
	formats := []string{console.FormatTable, console.FormatJSON}
	f.VarP(&console.OneOf{Value: &env.Output, List: formats}, "output", "o", "how to print: table or json")
	f.StringVar(&env.actor, "actor", env.Getenv("ATONE_ACTOR"), "who acts, for the audit trail (ATONE_ACTOR; default: you)")
	f.BoolVarP(&env.Verbose, "verbose", "v", false, "log what goes on to standard error")
}

// Given reports whether the command line, not the environment, gives the flag.
func (env *Env) Given(flag string) bool { return env.flags != nil && env.flags.Changed(flag) }

// DataDir returns the data directory, which must be given.
func (env *Env) DataDir() (string, error) {
	if env.Data == "" {
		return "", console.UsageError{Err: errors.New("no data directory: give --data DIR, or set ATONE_DATA")}
	}
	return env.Data, nil
}

// Who is the person who acts.
func (env *Env) Who() string {
	if env.actor != "" {
		return env.actor
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "cli"
}
