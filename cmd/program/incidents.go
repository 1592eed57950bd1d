package program

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
)

func newIncidentsCommand(env *environment) *cobra.Command {
	var (
		p              paging
		when           period
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
  %[1]s incidents --state resolved --since 7d -o json`, env.app.Name),
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.check(); err != nil {
				return err
			}
			f := incidents.Filter{Open: state == "open", Resolved: state == "resolved", Sagas: sagas, Actions: actions,
				From: when.since.Time, To: when.until.Time, Text: text, Ascending: p.ascending}
			if run != "" {
				var err error
				if f.Run, err = parseRun(run); err != nil {
					return err
				}
			}
			return env.with(cmd.Context(), use{}, func(ctx context.Context, c *client.Client) error {
				return pages(&p, env.incidentListing(), func(cursor string, limit int) (wire.Page[wire.Incident], error) {
					f.Cursor, f.Limit = cursor, limit
					return c.Incidents(ctx, f)
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.Var(&formatFlag{value: &state, list: []string{"open", "resolved", "all"}}, "state", "open, resolved or all")
	flags.StringSliceVar(&sagas, "saga", nil, "of that saga; may be repeated")
	flags.StringSliceVar(&actions, "action", nil, "at a step of that action; may be repeated")
	flags.StringVar(&run, "run", "", "of that run")
	flags.StringVar(&text, "error", "", "whose cause or step has these words, or words that begin so")
	when.addFlags(flags, "opened")
	p.addFlags(cmd)
	env.formats(cmd, formatTable, formatJSON, formatNDJSON, formatCSV)
	return cmd
}

// incidentListing says how incidents are listed.
func (env *environment) incidentListing() *listing[wire.Incident] {
	return &listing[wire.Incident]{env: env, none: "no such incidents", columns: []column[wire.Incident]{
		{name: "OPENED", text: func(i wire.Incident) string { return clock(i.Opened) }, value: func(i wire.Incident) string { return stamp(i.Opened) }},
		{name: "AGE", text: func(i wire.Incident) string { return age(time.Duration(i.Age)) },
			value: func(i wire.Incident) string { return strconv.FormatFloat(time.Duration(i.Age).Seconds(), 'f', -1, 64) }},
		{name: "RUN", text: func(i wire.Incident) string { return i.Run.String() }},
		{name: "SAGA", text: func(i wire.Incident) string { return i.Saga }},
		{name: "STEP", text: incidentStep, value: func(i wire.Incident) string { return i.Step }},
		{name: "DIRECTION", csvOnly: true, text: func(i wire.Incident) string { return string(i.Direction) }},
		{name: "ACTION", csvOnly: true, text: func(i wire.Incident) string { return i.Action }},
		{name: "ATTEMPTS", csvOnly: true, text: func(i wire.Incident) string { return strconv.Itoa(i.Attempts) }},
		{name: "INCIDENT", csvOnly: true, text: func(i wire.Incident) string { return i.ID }},
		{name: "STATE", text: incidentState, look: func(p tty.Palette, i wire.Incident, s string) string {
			if i.Resolved.IsZero() {
				return p.Bad(s)
			}
			return p.Good(s)
		}},
		{name: "RESOLVED", csvOnly: true, text: func(i wire.Incident) string { return stamp(i.Resolved) }},
		{name: "BY", csvOnly: true, text: func(i wire.Incident) string { return i.By }},
		{name: "CAUSE", text: func(i wire.Incident) string { return i.Cause }},
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

// age writes a long duration in its two largest units.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}
