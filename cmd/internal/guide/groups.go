package guide

import "github.com/spf13/cobra"

// groups are the groups of commands in help, in order. Commands without a group are listed last.
var groups = []struct {
	id, title string
	commands  []string
}{
	{"look", "Look:", []string{"runs", "show", "why", "audit", "incidents", "events", "rejected", "stats", "undo-preview", "explore", "export", "sagas", "actions", "holds"}},
	{"start", "Start and signal:", []string{"start", "invoke", "signal", "emit"}},
	{"steer", "Steer:", []string{"retry", "resolve", "pause", "resume", "cancel", "abandon", "bulk", "hold", "release", "start-again"}},
	{"serve", "Serve and administer:", []string{"serve", "worker", "projections", "token", "log"}},
	{"help", "Find your way:", []string{"search", "help", "exit-codes", "completion", "version"}},
}

// group puts the commands of the root into groups.
func group(root *cobra.Command) {
	of := map[string]string{}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, name := range g.commands {
			of[name] = g.id
		}
	}
	for _, c := range root.Commands() {
		if c.GroupID == "" {
			c.GroupID = of[c.Name()]
		}
	}
}
