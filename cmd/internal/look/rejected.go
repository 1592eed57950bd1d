package look

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/rejected"
)

func newRejectedCommand(env *access.Env) *cobra.Command {
	var (
		p console.Paging
		f rejected.Filter
	)
	state := string(rejected.Open)
	cmd := &cobra.Command{
		Use:   "rejected [EVENT]...",
		Short: "List the events that could not start their runs",
		Long: `List the domain events that could not start their runs, newest first: the code of the trigger failed, or the payload does
not fit the saga. Such an event waits here until somebody retries it, with a program whose trigger takes it, or dismisses it.
EVENT is the id of a rejection or of an event; it is then listed in whatever state it is.`,
		Example: fmt.Sprintf(`  %[1]s rejected
  %[1]s rejected --saga ship-order --type order-placed
  %[1]s rejected --state started --all -o json
  %[1]s rejected retry --saga ship-order --reason 'version 2 is out'`, env.Program.Name),
		Args: console.Usage(idsOfEvents),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.Check(); err != nil {
				return err
			}
			f.IDs, f.Ascending = args, p.Ascending
			if f.State = rejected.State(state); state == "all" || len(args) > 0 && !cmd.Flags().Changed("state") {
				f.State = ""
			}
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				list := rejectedListing(env)
				return console.Pages(&p, list, func(cursor string, limit int) (wire.Page[wire.RejectedEvent], error) {
					f.Cursor, f.Limit = cursor, limit
					page, err := c.Rejected(ctx, f)
					list.Next = afterRejected(env, page.Items)
					return page.Page, err
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.Var(&console.OneOf{Value: &state, List: []string{"open", "started", "dismissed", "all"}}, "state", "open, started (retried, and its run has started), dismissed or all")
	flags.StringSliceVar(&f.Sagas, "saga", nil, "only those that should have started this saga; repeatable")
	flags.StringVar(&f.Type, "type", "", "only events of this type")
	p.AddFlags(cmd)
	env.Formats(cmd, console.Lists...)
	return cmd
}

// idsOfEvents takes ids of events, and no word that was meant as a command.
func idsOfEvents(cmd *cobra.Command, args []string) error {
	for _, id := range args {
		if _, err := uuid.Parse(id); err != nil {
			if meant := cmd.SuggestionsFor(id); len(meant) > 0 {
				return fmt.Errorf("%q is no command of %s: did you mean %s?", id, cmd.Name(), meant[0])
			}
			return fmt.Errorf("%q is no id of an event: %s lists them", id, cmd.CommandPath())
		}
	}
	return nil
}

// afterRejected are the steps after a list with open events in it.
func afterRejected(env *access.Env, list []wire.RejectedEvent) []console.Step {
	for i := range list {
		if e := &list[i]; e.State == rejected.Open {
			return []console.Step{
				{Command: env.CommandLine("rejected", "retry", e.ID.String(), "--reason", "WHY"), Why: "tries it again, once a program is there that takes it"},
				{Command: env.CommandLine("rejected", "dismiss", e.ID.String(), "--reason", "WHY"), Why: "if it needs no run"},
			}
		}
	}
	return nil
}

// rejectedListing says how rejected events are listed.
func rejectedListing(env *access.Env) *console.Listing[wire.RejectedEvent] {
	type row = wire.RejectedEvent
	run := func(e row) string {
		if e.Run == (domain.RunID{}) {
			return ""
		}
		return e.Run.String()
	}
	shortRun := func(e row) string {
		if e.Run == (domain.RunID{}) {
			return ""
		}
		return console.ShortID(e.Run)
	}
	return &console.Listing[row]{Console: env.Console, None: "no such events: every event has started its runs", Columns: []console.Column[row]{
		{Name: "REJECTED", Rank: 2, Time: func(e row) time.Time { return e.At }},
		{Name: "ID", Text: func(e row) string { return e.ID.String() }},
		{Name: "TYPE", Text: func(e row) string { return e.Type }},
		{Name: "SAGA", Rank: 1, Text: func(e row) string { return e.Saga }},
		{Name: "STATE", Rank: 4, Text: func(e row) string { return string(e.State) }, Look: func(p tty.Palette, e row, s string) string {
			if e.State == rejected.Open {
				return p.Bad(s)
			}
			return p.Good(s)
		}},
		{Name: "RUN", Rank: 3, Text: run, Short: shortRun},
		{Name: "EVENT", Wide: true, Text: func(e row) string { return e.Event.String() }},
		{Name: "STREAM", Wide: true, Text: func(e row) string { return e.Stream }},
		{Name: "REVISION", Wide: true, Text: func(e row) string { return strconv.FormatUint(e.Revision, 10) }},
		{Name: "BY", Wide: true, Text: func(e row) string { return e.By }},
		{Name: "REASON", CSVOnly: true, Text: func(e row) string { return e.Reason }},
		{Name: "WHY", Long: true, Text: func(e row) string { return e.Error }},
	}}
}
