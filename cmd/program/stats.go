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
)

func newStatsCommand(env *environment) *cobra.Command {
	var q client.StatsQuery
	var last ageFlag
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show counts, failure and retry rates and latencies for each saga and action",
		Long: `Show counts, failure and retry rates and latencies. Lines without an action are a saga's runs; DONE are those that
completed, FAILED those that were undone. Lines with an action are its attempts.`,
		Example: fmt.Sprintf("  %[1]s stats --last 1h\n  %[1]s stats --saga order -o json", env.app.Name),
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.Last = time.Duration(last)
			return env.with(cmd.Context(), use{}, func(ctx context.Context, c *client.Client) error {
				s, err := c.Stats(ctx, q)
				if err != nil {
					return err
				}
				if env.json() {
					return env.printJSON(s)
				}
				return env.statListing().page(wire.Page[wire.Stat]{Items: s.Stats})
			})
		},
	}
	cmd.Flags().StringVar(&q.Saga, "saga", "", "of that saga")
	cmd.Flags().StringVar(&q.Action, "action", "", "of that action")
	cmd.Flags().Var(&last, "last", "only what happened in that time, such as 1h or 7d: to the minute within 2 hours, else to the hour, up to 35 days")
	env.formats(cmd, formatTable, formatJSON, formatNDJSON, formatCSV)
	return cmd
}

// statListing says how statistics are listed.
func (env *environment) statListing() *listing[wire.Stat] {
	number := func(f func(wire.Stat) int64) func(wire.Stat) string {
		return func(s wire.Stat) string { return strconv.FormatInt(f(s), 10) }
	}
	rate := func(name string, f func(wire.Stat) float64, bad bool) column[wire.Stat] {
		return column[wire.Stat]{name: name, text: func(s wire.Stat) string { return strconv.FormatFloat(100*f(s), 'f', 1, 64) + "%" },
			value: func(s wire.Stat) string { return strconv.FormatFloat(f(s), 'f', -1, 64) },
			look: func(p tty.Palette, s wire.Stat, text string) string {
				if bad && f(s) > 0 {
					return p.Bad(text)
				}
				return text
			}}
	}
	latency := func(name string, f func(wire.Stat) float64) column[wire.Stat] {
		return column[wire.Stat]{name: name, text: func(s wire.Stat) string { return story.Short(time.Duration(f(s) * float64(time.Second))) },
			value: func(s wire.Stat) string { return strconv.FormatFloat(f(s), 'f', -1, 64) }}
	}
	return &listing[wire.Stat]{env: env, none: "nothing has run yet", columns: []column[wire.Stat]{
		{name: "SAGA", text: func(s wire.Stat) string { return s.Saga }},
		{name: "ACTION", text: func(s wire.Stat) string { return s.Action }},
		{name: "DIRECTION", text: func(s wire.Stat) string { return string(s.Direction) }},
		{name: "STARTED", text: number(func(s wire.Stat) int64 { return s.Started })},
		{name: "DONE", text: number(func(s wire.Stat) int64 { return s.Succeeded })},
		{name: "FAILED", text: number(func(s wire.Stat) int64 { return s.Failed })},
		{name: "CANCELLED", csvOnly: true, text: number(func(s wire.Stat) int64 { return s.Cancelled })},
		{name: "ABANDONED", csvOnly: true, text: number(func(s wire.Stat) int64 { return s.Abandoned })},
		{name: "TIMED OUT", csvOnly: true, text: number(func(s wire.Stat) int64 { return s.TimedOut })},
		{name: "LOST", csvOnly: true, text: number(func(s wire.Stat) int64 { return s.Lost })},
		{name: "STUCK", text: number(func(s wire.Stat) int64 { return s.Stuck })},
		rate("FAILURES", func(s wire.Stat) float64 { return s.FailureRate }, true),
		rate("RETRIES", func(s wire.Stat) float64 { return s.RetryRate }, false),
		latency("MEAN", func(s wire.Stat) float64 { return s.Mean }),
		latency("P50", func(s wire.Stat) float64 { return s.P50 }),
		latency("P95", func(s wire.Stat) float64 { return s.P95 }),
		latency("P99", func(s wire.Stat) float64 { return s.P99 }),
		latency("MAX", func(s wire.Stat) float64 { return s.Max }),
	}}
}
