package program

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/pebblelog"
)

func newVersionCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: fmt.Sprintf("  %s version -o json", env.app.Name),
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := env.version()
			if env.json() {
				return env.printJSON(map[string]any{"name": env.app.Name, "version": v, "go": runtime.Version(), "log_format": pebblelog.Format})
			}
			_, err := fmt.Fprintf(env.Out, "%s %s (%s, log format %d)\n", env.app.Name, v, runtime.Version(), pebblelog.Format)
			return err
		},
	}
}

// version returns the program's version.
func (env *environment) version() string {
	v := env.app.Version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	if v == "" {
		v = "(devel)"
	}
	return v
}
