package look

import (
	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
)

// Commands returns the commands that only read, without explore: see [OutlookCommand]. The others
// are added to audit, incidents and rejected as subcommands.
func Commands(env *access.Env, ofAudit, ofIncidents, ofRejected []*cobra.Command) []*cobra.Command {
	audit, incidents, rejected := newAuditCommand(env), newIncidentsCommand(env), newRejectedCommand(env)
	audit.AddCommand(ofAudit...)
	incidents.AddCommand(ofIncidents...)
	rejected.AddCommand(ofRejected...)
	return []*cobra.Command{
		newRunsCommand(env), newShowCommand(env), audit, newWhyCommand(env), newUndoPreviewCommand(env), incidents, newEventsCommand(env), rejected,
		newStatsCommand(env), newExportCommand(env), newSagasCommand(env), newActionsCommand(env), newVersionCommand(env),
	}
}
