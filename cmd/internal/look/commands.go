package look

import (
	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
)

// Commands returns the commands that only read. ofAudit and ofIncidents are added to audit and
// incidents as subcommands.
func Commands(env *access.Env, ofAudit, ofIncidents []*cobra.Command) []*cobra.Command {
	audit, incidents := newAuditCommand(env), newIncidentsCommand(env)
	audit.AddCommand(ofAudit...)
	incidents.AddCommand(ofIncidents...)
	return []*cobra.Command{
		newRunsCommand(env), newShowCommand(env), audit, newWhyCommand(env), newUndoPreviewCommand(env), incidents,
		newStatsCommand(env), newExportCommand(env), newSagasCommand(env), newActionsCommand(env), newVersionCommand(env),
	}
}
