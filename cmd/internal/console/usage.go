package console

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// UsageError is a wrong command line: nothing was done.
type UsageError struct {
	Err error
	// Next lists what to do next; empty means to read the command's help.
	Next []Step
}

// Error implements error.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e UsageError) Unwrap() error { return e.Err }

// Usage makes a cobra check of arguments report usage errors.
func Usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return UsageError{Err: fmt.Errorf("%w: usage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}

// NotEmpty refuses conditions with an empty value (--saga "$SAGA" with SAGA unset): the command
// would then apply to all runs instead of some.
func NotEmpty(f *pflag.FlagSet, conditions ...string) error {
	for _, name := range conditions {
		flag := f.Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		switch value := flag.Value.String(); value {
		case "", "[]", "0", "0s":
			return UsageError{Err: fmt.Errorf("--%s is given without a value: give one, or leave out the flag", name)}
		}
	}
	return nil
}
