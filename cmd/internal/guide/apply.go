package guide

import (
	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
)

// Apply prepares a whole tree of commands. Call it when the tree has all of them.
func Apply(root *cobra.Command, env *access.Env) {
	root.AddCommand(newSearchCommand(root, env))
	group(root)
	forgive(root)
	forgiveHelp(root)
	complete(root, env)
}
