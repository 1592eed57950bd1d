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
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/projections/runs"
)

func newRunsCommand(env *access.Env) *cobra.Command {
	var flags runFlags
	var p console.Paging
	sort := "started"
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List runs by state, saga, label, time, error and more",
		Long: `List runs, the newest first. All conditions that are given must hold.

With -o ndjson and -o csv, --all writes page after page and needs little memory.`,
		Example: fmt.Sprintf(`  %[1]s runs --state stuck
  %[1]s runs --saga order --since 24h --error 'card declined'
  %[1]s runs --label tenant=acme --all -o csv > runs.csv`, env.Program.Name),
		Args: console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := flags.filter()
			if err != nil {
				return err
			}
			if err := p.Check(); err != nil {
				return err
			}
			f.Ascending, f.Sort = p.Ascending, runs.Sort(sort)
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				return console.Pages(&p, runListing(env), func(cursor string, limit int) (wire.Page[wire.RunItem], error) {
					f.Cursor, f.Limit = cursor, limit
					return c.Runs(ctx, f)
				})
			})
		},
	}
	flags.addFlags(cmd)
	p.AddFlags(cmd)
	cmd.Flags().Var(&console.OneOf{Value: &sort, List: []string{"started", "ended", "wake"}}, "sort", "by started, ended, or wake (the next timer)")
	env.Formats(cmd, console.FormatTable, console.FormatJSON, console.FormatNDJSON, console.FormatCSV)
	return cmd
}

// runListing says how runs are listed.
func runListing(env *access.Env) *console.Listing[wire.RunItem] {
	now := time.Now()
	return &console.Listing[wire.RunItem]{Console: env.Console, None: "no such runs", Columns: []console.Column[wire.RunItem]{
		{Name: "RUN", Text: func(r wire.RunItem) string { return r.ID.String() }},
		{Name: "SAGA", Text: func(r wire.RunItem) string { return fmt.Sprintf("%s v%d", r.Saga, r.Version) }, Value: func(r wire.RunItem) string { return r.Saga }},
		{Name: "VERSION", CSVOnly: true, Text: func(r wire.RunItem) string { return strconv.Itoa(r.Version) }},
		{Name: "STATE", Text: func(r wire.RunItem) string { return string(r.State) },
			Look: func(p tty.Palette, r wire.RunItem, s string) string { return console.LookState(p, r.State, s) }},
		{Name: "STARTED", Text: func(r wire.RunItem) string { return console.Clock(r.Started) }, Value: func(r wire.RunItem) string { return console.Stamp(r.Started) }},
		{Name: "ENDED", CSVOnly: true, Text: func(r wire.RunItem) string { return console.Stamp(r.Ended) }},
		{Name: "TOOK", Text: func(r wire.RunItem) string { return story.Short(r.Duration(now)) },
			Value: func(r wire.RunItem) string { return strconv.FormatFloat(r.Duration(now).Seconds(), 'f', -1, 64) }},
		{Name: "KEY", Text: func(r wire.RunItem) string { return r.Key }},
		{Name: "LABELS", CSVOnly: true, Text: func(r wire.RunItem) string { return labelText(r.Labels) }},
		{Name: "ACTOR", CSVOnly: true, Text: func(r wire.RunItem) string { return r.Actor }},
		{Name: "ATTEMPTS", CSVOnly: true, Text: func(r wire.RunItem) string { return strconv.Itoa(r.Attempts) }},
		{Name: "ERROR", CSVOnly: true, Text: func(r wire.RunItem) string { return r.Error }},
		{Name: "DETAIL", Text: runDetail},
	}}
}

// runDetail says what is worth knowing of a run: what it waits for, or why it turned back.
func runDetail(r wire.RunItem) string {
	switch {
	case r.Waiting != "":
		return r.Waiting
	case r.Reason != "":
		return r.Reason
	case r.Cause != nil:
		return r.Cause.String()
	}
	return ""
}
