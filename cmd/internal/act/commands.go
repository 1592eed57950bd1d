package act

import (
	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
)

// Commands returns the commands that change something.
func Commands(env *access.Env) []*cobra.Command {
	list := []*cobra.Command{
		newStartCommand(env), newInvokeCommand(env), newBulkCommand(env), newEmitCommand(env), newTokenCommand(env), newProjectionsCommand(env),
		newStartAgainCommand(env), newHoldCommand(env), newReleaseCommand(env), newHoldsCommand(env),
	}
	return append(list, newSteerCommands(env)...)
}
