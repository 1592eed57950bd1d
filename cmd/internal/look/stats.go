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
)

func newStatsCommand(env *access.Env) *cobra.Command {
	var q client.StatsQuery
	var last console.Duration
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show counts, failure and retry rates and latencies for each saga and action",
		Long: `Show counts, failure and retry rates and latencies. A line without an action counts a saga's runs: DONE completed;
FAILED were undone after a failure or abandoned, or are stuck; STUCK are those of them that are stuck now or, with --last,
became so and still are. FAILURES is the share of FAILED among those that are done or failed. A line with an action counts
its attempts, and under STUCK how often its steps got stuck.`,
		Example: fmt.Sprintf("  %[1]s stats --last 1h\n  %[1]s stats --saga order -o json", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q.Last = time.Duration(last)
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				s, err := c.Stats(ctx, q)
				if err != nil {
					return err
				}
				if env.JSON() {
					return env.PrintJSON(s)
				}
				return statListing(env).Page(wire.Page[wire.Stat]{Items: s.Stats})
			})
		},
	}
	cmd.Flags().StringVar(&q.Saga, "saga", "", "only this saga")
	cmd.Flags().StringVar(&q.Action, "action", "", "only this action")
	cmd.Flags().Var(&last, "last", "only this much time up to now, such as 1h or 7d: exact to the minute within 2 hours, else to the hour; up to 35 days")
	env.Formats(cmd, console.Lists...)
	return cmd
}

// stuckOf is how many of a saga's runs are stuck, or how often steps of an action got stuck.
func stuckOf(s wire.Stat) int64 {
	if s.Action == "" && s.Direction == "" {
		return max(0, s.StuckMore)
	}
	return s.Stuck
}

// failedOf is how many of a saga's runs have failed, as the rate of failures counts them: those
// that were compensated or abandoned, and those that are stuck. Of an action it is the failed
// attempts.
func failedOf(s wire.Stat) int64 {
	if s.Action == "" && s.Direction == "" {
		return s.Failed + s.Abandoned + stuckOf(s)
	}
	return s.Failed
}

// statListing says how statistics are listed.
func statListing(env *access.Env) *console.Listing[wire.Stat] {
	number := func(f func(wire.Stat) int64) func(wire.Stat) string {
		return func(s wire.Stat) string { return strconv.FormatInt(f(s), 10) }
	}
	rate := func(name string, rank int, f func(wire.Stat) float64, bad bool) console.Column[wire.Stat] {
		return console.Column[wire.Stat]{Name: name, Rank: rank, Text: func(s wire.Stat) string { return strconv.FormatFloat(100*f(s), 'f', 1, 64) + "%" },
			Value: func(s wire.Stat) string { return strconv.FormatFloat(f(s), 'f', -1, 64) },
			Look: func(p tty.Palette, s wire.Stat, text string) string {
				if bad && f(s) > 0 {
					return p.Bad(text)
				}
				return text
			}}
	}
	latency := func(name string, rank int, f func(wire.Stat) float64) console.Column[wire.Stat] {
		return console.Column[wire.Stat]{Name: name, Rank: rank, Text: func(s wire.Stat) string { return story.Short(time.Duration(f(s) * float64(time.Second))) },
			Value: func(s wire.Stat) string { return strconv.FormatFloat(f(s), 'f', -1, 64) }}
	}
	return &console.Listing[wire.Stat]{Console: env.Console, None: "nothing has run yet", Columns: []console.Column[wire.Stat]{
		{Name: "SAGA", Long: true, Text: func(s wire.Stat) string { return s.Saga }},
		{Name: "ACTION", Long: true, Text: func(s wire.Stat) string { return s.Action }},
		{Name: "DIRECTION", Text: func(s wire.Stat) string { return string(s.Direction) }},
		{Name: "STARTED", Text: number(func(s wire.Stat) int64 { return s.Started })},
		{Name: "DONE", Text: number(func(s wire.Stat) int64 { return s.Succeeded })},
		{Name: "FAILED", Text: number(failedOf)},
		{Name: "CANCELLED", Wide: true, Text: number(func(s wire.Stat) int64 { return s.Cancelled })},
		{Name: "ABANDONED", Wide: true, Text: number(func(s wire.Stat) int64 { return s.Abandoned })},
		{Name: "TIMED OUT", Wide: true, Text: number(func(s wire.Stat) int64 { return s.TimedOut })},
		{Name: "LOST", Wide: true, Text: number(func(s wire.Stat) int64 { return s.Lost })},
		{Name: "STUCK", Text: number(stuckOf)},
		rate("FAILURES", 0, func(s wire.Stat) float64 { return s.FailureRate }, true),
		rate("RETRIES", 2, func(s wire.Stat) float64 { return s.RetryRate }, false),
		latency("MEAN", 6, func(s wire.Stat) float64 { return s.Mean }),
		latency("P50", 3, func(s wire.Stat) float64 { return s.P50 }),
		latency("P95", 1, func(s wire.Stat) float64 { return s.P95 }),
		latency("P99", 4, func(s wire.Stat) float64 { return s.P99 }),
		latency("MAX", 5, func(s wire.Stat) float64 { return s.Max }),
	}}
}
