package look

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga/explain"
)

func newRunsCommand(env *access.Env) *cobra.Command {
	var flags runFlags
	var p console.Paging
	sort, watch := "started", false
	cmd := &cobra.Command{
		Use:   "runs [SEARCH]...",
		Short: "List runs by state, saga, label, time, error and more",
		Long: `List runs, newest first. All given conditions must hold, those of the search and those of the flags. An unknown
condition, or a saga that does not exist, is an error.

A search has words of an error, and conditions: state:stuck saga:check* version:2 key:web-73* id:9b1c2f label:tenant=acme
action:charge-card step:ship/* text:"card gone" .email:ada@* actor:kim parent:ID attempts:>5 age:>2h since:7d until:2026-01-31.
A * at the end matches every text that begins like this; a name with a dot is a payload field tagged search. Quote the search for the shell.

--watch shows the list as it changes; with -o ndjson each change is a line: {"list"}, {"run"} or {"gone"}.

With -o ndjson and -o csv, --all writes page after page and needs little memory.`,
		Example: fmt.Sprintf(`  %[1]s runs --state stuck
  %[1]s runs 'state:stuck saga:check* age:>2h text:"card gone"'
  %[1]s runs --saga order --since 24h --error 'card declined'
  %[1]s runs --label tenant=acme --all -o csv > runs.csv`, env.Program.Name),
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := flags.filter(env)
			if err != nil {
				return err
			}
			if err := p.Check(); err != nil {
				return err
			}
			f.Ascending, f.Sort = p.Ascending, runs.Sort(sort)
			text := search.InZone(strings.Join(args, " "), time.Local)
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				if err := env.Named(ctx, c, flags.parent, &f.Parent); err != nil {
					return err
				}
				if watch {
					f.Limit = p.Limit
					return watchRuns(ctx, env, c, text, f)
				}
				return console.Pages(&p, runListing(env), func(cursor string, limit int) (wire.Page[wire.RunItem], error) {
					f.Cursor, f.Limit = cursor, limit
					return c.SearchRuns(ctx, text, f)
				})
			})
		},
	}
	flags.addFlags(cmd)
	p.AddFlags(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on showing the list as it changes, until interrupted")
	cmd.Flags().Var(&console.OneOf{Value: &sort, List: []string{"started", "ended", "wake"}}, "sort", "sort by started, ended, or wake (the next timer)")
	env.Formats(cmd, console.Lists...)
	return cmd
}

// runListing says how runs are listed.
func runListing(env *access.Env) *console.Listing[wire.RunItem] {
	now := time.Now()
	clock := explain.ClockIn(now, env.Location())
	return &console.Listing[wire.RunItem]{Console: env.Console, None: "no such runs", Columns: []console.Column[wire.RunItem]{
		{Name: "RUN", Text: func(r wire.RunItem) string { return r.ID.String() }, Short: func(r wire.RunItem) string { return console.ShortID(r.ID) }},
		{Name: "SAGA", Rank: 1, Text: sagaOf, Value: func(r wire.RunItem) string { return r.Saga }},
		{Name: "VERSION", CSVOnly: true, Text: func(r wire.RunItem) string { return strconv.Itoa(r.Version) }},
		{Name: "STATE", Text: func(r wire.RunItem) string { return string(r.Shown()) }, Value: func(r wire.RunItem) string { return string(r.State) },
			Look: func(p tty.Palette, r wire.RunItem, s string) string { return console.LookState(p, r.Shown(), s) }},
		{Name: "STATES", CSVOnly: true, Text: func(r wire.RunItem) string { return console.Joined(r.States) }},
		{Name: "STARTED", Rank: 2, Time: func(r wire.RunItem) time.Time { return r.Started }},
		{Name: "ENDED", Wide: true, Time: func(r wire.RunItem) time.Time { return r.Ended }},
		{Name: "TOOK", Rank: 3, Text: func(r wire.RunItem) string { return story.Short(r.Duration(now)) },
			Value: func(r wire.RunItem) string { return strconv.FormatFloat(r.Duration(now).Seconds(), 'f', -1, 64) }},
		{Name: "KEY", Long: true, Text: func(r wire.RunItem) string { return r.Key }},
		{Name: "LABELS", Wide: true, Text: func(r wire.RunItem) string { return labelText(r.Labels) }},
		{Name: "ACTOR", Wide: true, Text: func(r wire.RunItem) string { return r.Actor }},
		{Name: "ATTEMPTS", Wide: true, Text: func(r wire.RunItem) string { return strconv.Itoa(r.Attempts) }},
		{Name: "ERROR", CSVOnly: true, Text: func(r wire.RunItem) string { return r.Error }},
		{Name: "WHY", Long: true, Text: func(r wire.RunItem) string { return runWhy(&r, now, clock) },
			Value: func(r wire.RunItem) string { return runWhy(&r, now, explain.ClockIn(now, time.UTC)) }},
	}}
}

// sagaOf names a run's saga. That of a run whose beginning can't be read is not known.
func sagaOf(r wire.RunItem) string {
	if r.Saga == "" {
		return "unknown"
	}
	return fmt.Sprintf("%s v%d", r.Saga, r.Version)
}

// runWhy says what a run waits for, or why it turned back.
func runWhy(r *wire.RunItem, now time.Time, clock explain.Clock) string {
	switch {
	case !r.State.Ended():
		return r.Waits(now, clock)
	case r.Reason != "":
		return r.Reason
	case r.Cause != nil:
		return r.Cause.String()
	}
	return ""
}
