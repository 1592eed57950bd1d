package look

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/saga/machine"
)

func newWhyCommand(env *access.Env) *cobra.Command {
	return ofRun(env, cobra.Command{
		Use:     "why RUN",
		Short:   "Say why a run is waiting, and for what",
		Long:    "Say in a sentence what an unfinished run waits for, and then each of its waits: the next attempt and its time, a signal, a child, a person.",
		Example: fmt.Sprintf("  %[1]s why order:4711\n  %[1]s why order:4711 -o json", env.Program.Name),
	}, (*client.Client).Why, func(why machine.Reason) error {
		if _, err := fmt.Fprintln(env.Out, console.Plain(why.Text)); err != nil || len(why.Waits) < 2 {
			return err
		}
		w := tabwriter.NewWriter(env.Out, 0, 0, 2, ' ', 0)
		for _, wait := range why.Waits {
			since := ""
			if !wait.Since.IsZero() {
				since = "since " + console.Clock(wait.Since)
			}
			fmt.Fprintf(w, "  %s\t%s\n", console.Plain(wait.Text), since)
		}
		return w.Flush()
	})
}
