package look

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
)

func newIncidentsCommand(env *access.Env) *cobra.Command {
	var (
		p              console.Paging
		when           console.Period
		sagas, actions []string
		run, text      string
	)
	state := "open"
	cmd := &cobra.Command{
		Use:   "incidents",
		Short: "List what needs a person, or needed one",
		Long: `List incidents, the newest first. An incident is the record of why a run is stuck, until somebody settles it with
retry, resolve or abandon.`,
		Example: fmt.Sprintf(`  %[1]s incidents
  %[1]s incidents --saga order --action charge-card
  %[1]s incidents --state resolved --since 7d -o json`, env.Program.Name),
		Args: console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.Check(); err != nil {
				return err
			}
			f := incidents.Filter{Open: state == "open", Resolved: state == "resolved", Sagas: sagas, Actions: actions,
				From: when.Since.Time, To: when.Until.Time, Text: text, Ascending: p.Ascending}
			if run != "" {
				var err error
				if f.Run, err = console.ParseRun(run); err != nil {
					return err
				}
			}
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				return console.Pages(&p, incidentListing(env), func(cursor string, limit int) (wire.Page[wire.Incident], error) {
					f.Cursor, f.Limit = cursor, limit
					return c.Incidents(ctx, f)
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.Var(&console.OneOf{Value: &state, List: []string{"open", "resolved", "all"}}, "state", "open, resolved or all")
	flags.StringSliceVar(&sagas, "saga", nil, "of that saga; may be repeated")
	flags.StringSliceVar(&actions, "action", nil, "at a step of that action; may be repeated")
	flags.StringVar(&run, "run", "", "of that run")
	flags.StringVar(&text, "error", "", "whose cause or step has these words, or words that begin so")
	when.AddFlags(flags, "opened")
	p.AddFlags(cmd)
	env.Formats(cmd, console.FormatTable, console.FormatJSON, console.FormatNDJSON, console.FormatCSV)
	return cmd
}

// incidentListing says how incidents are listed.
func incidentListing(env *access.Env) *console.Listing[wire.Incident] {
	return &console.Listing[wire.Incident]{Console: env.Console, None: "no such incidents", Columns: []console.Column[wire.Incident]{
		{Name: "OPENED", Text: func(i wire.Incident) string { return console.Clock(i.Opened) }, Value: func(i wire.Incident) string { return console.Stamp(i.Opened) }},
		{Name: "AGE", Text: func(i wire.Incident) string { return console.Age(time.Duration(i.Age)) },
			Value: func(i wire.Incident) string { return strconv.FormatFloat(time.Duration(i.Age).Seconds(), 'f', -1, 64) }},
		{Name: "RUN", Text: func(i wire.Incident) string { return i.Run.String() }},
		{Name: "SAGA", Text: func(i wire.Incident) string { return i.Saga }},
		{Name: "STEP", Text: incidentStep, Value: func(i wire.Incident) string { return i.Step }},
		{Name: "DIRECTION", CSVOnly: true, Text: func(i wire.Incident) string { return string(i.Direction) }},
		{Name: "ACTION", CSVOnly: true, Text: func(i wire.Incident) string { return i.Action }},
		{Name: "ATTEMPTS", CSVOnly: true, Text: func(i wire.Incident) string { return strconv.Itoa(i.Attempts) }},
		{Name: "INCIDENT", CSVOnly: true, Text: func(i wire.Incident) string { return i.ID }},
		{Name: "STATE", Text: incidentState, Look: func(p tty.Palette, i wire.Incident, s string) string {
			if i.Resolved.IsZero() {
				return p.Bad(s)
			}
			return p.Good(s)
		}},
		{Name: "RESOLVED", CSVOnly: true, Text: func(i wire.Incident) string { return console.Stamp(i.Resolved) }},
		{Name: "BY", CSVOnly: true, Text: func(i wire.Incident) string { return i.By }},
		{Name: "CAUSE", Text: func(i wire.Incident) string { return i.Cause }},
	}}
}

func incidentStep(i wire.Incident) string {
	if i.Direction == domain.Undo {
		return "undo of " + i.Step
	}
	return i.Step
}

func incidentState(i wire.Incident) string {
	switch {
	case i.Resolved.IsZero():
		return "open"
	case i.By != "":
		return i.How + " by " + i.By
	}
	return i.How
}
