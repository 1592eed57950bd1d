package look

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/search"
)

func newIncidentsCommand(env *access.Env) *cobra.Command {
	var (
		p                                 console.Paging
		when                              console.Period
		sagas, actions, groups, assignees []string
		run, text                         string
		each, snoozed                     bool
	)
	state := "open"
	cmd := &cobra.Command{
		Use:   "incidents [SEARCH]...",
		Short: "List what needs a person, or needed one",
		Long: `List open incidents in groups of one saga, step, direction and cause, the largest group first. With --each, a search, or
a flag that selects single incidents, list them one by one, newest first. An incident records why a run is stuck, until somebody
settles it with retry, resolve or abandon. If a retry fails, the same incident is open again. Snoozed incidents are left out.

A search consists of words of the cause or the step, and conditions: state:retrying group:607c4165de7b20db assignee:kim
saga:check* action:charge-card run:order:4711 text:"card gone" age:>2h since:7d until:2026-01-31. Without a state it finds open
incidents; state:snoozed finds those that are hidden now.`,
		Example: fmt.Sprintf(`  %[1]s incidents
  %[1]s incidents --group 607c4165de7b20db
  %[1]s incidents 'assignee:kim age:>2h "card gone"'
  %[1]s incidents --each --saga order --action charge-card
  %[1]s incidents --state resolved --since 7d -o json`, env.Program.Name),
		Args: console.Usage(noMisspeltCommand),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.Check(); err != nil {
				return err
			}
			query := search.InZone(strings.Join(args, " "), time.Local)
			single := query != "" || slices.ContainsFunc([]string{"state", "action", "run", "group", "assignee", "since", "until", "oldest-first"}, cmd.Flags().Changed)
			if !each && !single {
				return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
					return listGroups(ctx, env, c, &p, incidents.GroupFilter{Sagas: sagas, Text: text}, snoozed)
				})
			}
			f := incidents.Filter{Open: state == "open", Retrying: state == "retrying", Resolved: state == "resolved", Snoozed: state == "snoozed", Sagas: sagas, Actions: actions,
				Groups: groups, Assignees: assignees, From: when.Since.Time, To: when.Until.Time, Text: text, Ascending: p.Ascending}
			if !snoozed {
				f.Awake = time.Now()
			}
			if given, err := search.Incidents(query, time.Now(), nil); err == nil && given.HasState() && !cmd.Flags().Changed("state") {
				f.Open = false // the search says which
			}
			if run != "" {
				if err := env.CheckRun(run); err != nil {
					return err
				}
			}
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				if err := env.Named(ctx, c, run, &f.Run); err != nil {
					return err
				}
				return console.Pages(&p, incidentListing(env), func(cursor string, limit int) (wire.Page[wire.Incident], error) {
					f.Cursor, f.Limit = cursor, limit
					return c.SearchIncidents(ctx, query, f)
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.Var(&console.OneOf{Value: &state, List: []string{"open", "retrying", "resolved", "snoozed", "all"}}, "state", "open, retrying, resolved, snoozed or all")
	flags.BoolVar(&each, "each", false, "list each incident instead of groups")
	flags.BoolVar(&snoozed, "snoozed", false, "include snoozed incidents")
	flags.StringSliceVar(&groups, "group", nil, "only of this group; repeatable")
	flags.StringSliceVar(&assignees, "assignee", nil, "only assigned to this person; repeatable")
	flags.StringSliceVar(&sagas, "saga", nil, "only of this saga; repeatable")
	flags.StringSliceVar(&actions, "action", nil, "only at a step of this action; repeatable")
	flags.StringVar(&run, "run", "", "only of this run: its id, its last 6 or more digits, or SAGA:KEY")
	flags.StringVar(&text, "error", "", "only with these words, or beginnings of words, in the cause or step")
	when.AddFlags(flags, "opened")
	p.AddFlags(cmd)
	env.Formats(cmd, console.Lists...)
	return cmd
}

// noMisspeltCommand takes a search, but no word that was meant as a command.
func noMisspeltCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || strings.Contains(args[0], ":") {
		return nil
	}
	if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
		return fmt.Errorf("%q is no command of %s: did you mean %s? To search for the word, write text:%s", args[0], cmd.Name(), meant[0], args[0])
	}
	return nil
}

// incidentListing says how incidents are listed.
func incidentListing(env *access.Env) *console.Listing[wire.Incident] {
	return &console.Listing[wire.Incident]{Console: env.Console, None: "no such incidents", Columns: []console.Column[wire.Incident]{
		{Name: "OPENED", Rank: 4, Time: func(i wire.Incident) time.Time { return i.Opened }},
		{Name: "AGE", Rank: 2, Text: func(i wire.Incident) string { return console.Age(time.Duration(i.Age)) },
			Value: func(i wire.Incident) string { return strconv.FormatFloat(time.Duration(i.Age).Seconds(), 'f', -1, 64) }},
		{Name: "RUN", Text: func(i wire.Incident) string { return i.Run.String() }, Short: func(i wire.Incident) string { return console.ShortID(i.Run) }},
		{Name: "SAGA", Rank: 1, Text: func(i wire.Incident) string { return i.Saga }},
		{Name: "STEP", Long: true, Text: incidentStep, Value: func(i wire.Incident) string { return i.Step }},
		{Name: "DIRECTION", CSVOnly: true, Text: func(i wire.Incident) string { return string(i.Direction) }},
		{Name: "ACTION", Wide: true, Text: func(i wire.Incident) string { return i.Action }},
		{Name: "ATTEMPTS", Wide: true, Text: func(i wire.Incident) string { return strconv.Itoa(i.Attempts) }},
		{Name: "INCIDENT", Wide: true, Text: func(i wire.Incident) string { return i.ID }},
		{Name: "STATE", Rank: 3, Text: incidentState, Look: func(p tty.Palette, i wire.Incident, s string) string {
			if i.Resolved.IsZero() {
				return p.Bad(s)
			}
			return p.Good(s)
		}},
		{Name: "RESOLVED", Wide: true, Time: func(i wire.Incident) time.Time { return i.Resolved }},
		{Name: "BY", CSVOnly: true, Text: func(i wire.Incident) string { return i.By }},
		{Name: "WHO", Wide: true, Text: func(i wire.Incident) string { return i.Assignee }},
		{Name: "KEY", Wide: true, Text: func(i wire.Incident) string { return i.Key }},
		{Name: "GROUP", Wide: true, Text: func(i wire.Incident) string { return i.Group }},
		{Name: "CAUSE", Long: true, Text: func(i wire.Incident) string { return i.Cause }},
	}}
}

func incidentStep(i wire.Incident) string { return stepText(i.Direction, i.Step) }

func incidentState(i wire.Incident) string {
	switch {
	case i.State == incidents.Open && i.Times > 1:
		return "open again"
	case i.Resolved.IsZero():
		return string(i.State)
	case i.By != "":
		return i.How + " by " + i.By
	}
	return i.How
}
