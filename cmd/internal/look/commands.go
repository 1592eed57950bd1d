package look

import (
	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
)

// Commands returns the commands that look; those of audit get audit's own as well.
func Commands(env *access.Env, ofAudit ...*cobra.Command) []*cobra.Command {
	audit := newAuditCommand(env)
	audit.AddCommand(ofAudit...)
	return []*cobra.Command{
		newRunsCommand(env), newShowCommand(env), audit, newWhyCommand(env), newUndoPreviewCommand(env), newIncidentsCommand(env),
		newStatsCommand(env), newExportCommand(env), newSagasCommand(env), newActionsCommand(env), newVersionCommand(env),
	}
}
