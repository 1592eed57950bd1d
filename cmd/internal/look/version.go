package look

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
)

func newVersionCommand(env *access.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: fmt.Sprintf("  %s version -o json", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := env.Program.VersionText()
			if env.JSON() {
				return env.PrintJSON(map[string]any{"name": env.Program.Name, "version": v, "go": runtime.Version(), "log_format": pebblelog.Format})
			}
			_, err := fmt.Fprintf(env.Out, "%s %s (%s, log format %d)\n", env.Program.Name, v, runtime.Version(), pebblelog.Format)
			return err
		},
	}
}
