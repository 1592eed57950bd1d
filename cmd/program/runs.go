package program

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/projections/runs"
)

func newRunsCommand(env *environment) *cobra.Command {
	var flags runFlags
	var p paging
	sort := "started"
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List runs by state, saga, label, time, error and more",
		Long: `List runs, the newest first. All conditions that are given must hold.

With -o ndjson and -o csv, --all writes page after page and needs little memory.`,
		Example: fmt.Sprintf(`  %[1]s runs --state stuck
  %[1]s runs --saga order --since 24h --error 'card declined'
  %[1]s runs --label tenant=acme --all -o csv > runs.csv`, env.app.Name),
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := flags.filter()
			if err != nil {
				return err
			}
			if err := p.check(); err != nil {
				return err
			}
			f.Ascending, f.Sort = p.ascending, runs.Sort(sort)
			return env.with(cmd.Context(), use{}, func(ctx context.Context, c *client.Client) error {
				return pages(&p, env.runListing(), func(cursor string, limit int) (wire.Page[wire.RunItem], error) {
					f.Cursor, f.Limit = cursor, limit
					return c.Runs(ctx, f)
				})
			})
		},
	}
	flags.addFlags(cmd)
	p.addFlags(cmd)
	cmd.Flags().Var(&formatFlag{value: &sort, list: []string{"started", "ended", "wake"}}, "sort", "by started, ended, or wake (the next timer)")
	env.formats(cmd, formatTable, formatJSON, formatNDJSON, formatCSV)
	return cmd
}

// runListing says how runs are listed.
func (env *environment) runListing() *listing[wire.RunItem] {
	now := time.Now()
	return &listing[wire.RunItem]{env: env, none: "no such runs", columns: []column[wire.RunItem]{
		{name: "RUN", text: func(r wire.RunItem) string { return r.ID.String() }},
		{name: "SAGA", text: func(r wire.RunItem) string { return fmt.Sprintf("%s v%d", r.Saga, r.Version) }, value: func(r wire.RunItem) string { return r.Saga }},
		{name: "VERSION", csvOnly: true, text: func(r wire.RunItem) string { return strconv.Itoa(r.Version) }},
		{name: "STATE", text: func(r wire.RunItem) string { return string(r.State) },
			look: func(p tty.Palette, r wire.RunItem, s string) string { return lookState(p, r.State, s) }},
		{name: "STARTED", text: func(r wire.RunItem) string { return clock(r.Started) }, value: func(r wire.RunItem) string { return stamp(r.Started) }},
		{name: "ENDED", csvOnly: true, text: func(r wire.RunItem) string { return stamp(r.Ended) }},
		{name: "TOOK", text: func(r wire.RunItem) string { return story.Short(r.Duration(now)) },
			value: func(r wire.RunItem) string { return strconv.FormatFloat(r.Duration(now).Seconds(), 'f', -1, 64) }},
		{name: "KEY", text: func(r wire.RunItem) string { return r.Key }},
		{name: "LABELS", csvOnly: true, text: func(r wire.RunItem) string { return labelText(r.Labels) }},
		{name: "ACTOR", csvOnly: true, text: func(r wire.RunItem) string { return r.Actor }},
		{name: "ATTEMPTS", csvOnly: true, text: func(r wire.RunItem) string { return strconv.Itoa(r.Attempts) }},
		{name: "ERROR", csvOnly: true, text: func(r wire.RunItem) string { return r.Error }},
		{name: "DETAIL", text: runDetail},
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
