package guide

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
)

// complete registers shell completion for the arguments of commands (RUN, SAGA, ACTION, VIEW,
// SEARCH) and the values of their flags.
func complete(c *cobra.Command, env *access.Env) {
	v := &values{env: env}
	words := strings.Fields(c.Use)
	if len(words) > 1 && c.ValidArgsFunction == nil {
		if word := strings.Trim(words[1], "[]."); word == "SEARCH" {
			c.ValidArgsFunction = v.search(search.List(c.Name()))
		} else if propose := v.of(word); propose != nil {
			c.ValidArgsFunction = first(propose)
		}
		switch c.Name() {
		case "release":
			c.ValidArgsFunction = first(v.ask(v.held))
		case "signal":
			c.ValidArgsFunction = v.signal
		}
	}
	for _, set := range []*pflag.FlagSet{c.LocalNonPersistentFlags(), c.PersistentFlags()} {
		set.VisitAll(func(f *pflag.Flag) {
			if _, exists := c.GetFlagCompletionFunc(f.Name); exists {
				return
			}
			if propose := v.ofFlag(f); propose != nil {
				_ = c.RegisterFlagCompletionFunc(f.Name, propose) // it exists, and has none
			}
		})
	}
	for _, sub := range c.Commands() {
		complete(sub, env)
	}
}

// first completes the first argument only.
func first(propose cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return propose(cmd, args, begun)
	}
}

// signal completes a run, then the signals that it awaits, now or later.
func (v *values) signal(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return v.ask(v.runs)(cmd, args, begun)
	case 1:
		return v.ask(v.signals(args[0]))(cmd, args, begun)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// of returns the completion for a word of a command's usage, or nil if there is none.
func (v *values) of(word string) cobra.CompletionFunc {
	switch word {
	case "RUN":
		return v.ask(v.runs)
	case "SAGA":
		return v.ask(v.sagas)
	case "ACTION":
		return v.ask(v.actions)
	case "VIEW":
		return v.ask(v.views)
	}
	return nil
}

// search completes a search, condition by condition; of runs, for a command that has no list of its
// own.
func (v *values) search(in search.List) cobra.CompletionFunc {
	if len(search.Conditions(in)) == 0 {
		in = search.InRuns
	}
	propose := v.ask(v.conditions(in))
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		list, how := propose(cmd, args, begun)
		return list, how | cobra.ShellCompDirectiveNoSpace
	}
}

// ofFlag returns the completion for a flag's value, or nil if there is none.
func (v *values) ofFlag(f *pflag.Flag) cobra.CompletionFunc {
	if one, ok := f.Value.(*console.OneOf); ok {
		return cobra.FixedCompletions(one.List, cobra.ShellCompDirectiveNoFileComp)
	}
	switch f.Name {
	case "state":
		return cobra.FixedCompletions(names(runs.AllStates), cobra.ShellCompDirectiveNoFileComp)
	case "saga":
		return v.ask(v.sagas)
	case "action":
		return v.ask(v.actions)
	case "label":
		return v.ask(v.labels)
	case "run", "parent", "after":
		return v.ask(v.runs)
	case "scope":
		return cobra.FixedCompletions([]string{"read", "start", "operate", "admin"}, cobra.ShellCompDirectiveNoFileComp)
	}
	return nil
}

func names[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
