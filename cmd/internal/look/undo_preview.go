package look

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/preview"
	"github.com/atonehq/atone/saga/explain"
)

func newUndoPreviewCommand(env *access.Env) *cobra.Command {
	return ofRun(env, cobra.Command{
		Use:   "undo-preview RUN",
		Short: "Show what cancelling a run would do now, step by step",
		Long: `Show what cancelling a run would do now, step by step, without doing it. The steps of one wave are undone at the same
time; the next wave begins when they are done. For a run that is already turning back, show what is left to undo.`,
		Example: fmt.Sprintf("  %s undo-preview order:4711", env.Program.Name),
	}, (*client.Client).PreviewCancel, func(p explain.Preview) error {
		return preview.Print(env.Console, &p)
	}, func(explain.Preview) []console.Step { return nil })
}
