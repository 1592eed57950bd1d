package saga_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// weighing counts the bytes of what is appended to runs.
type weighing struct {
	domain.Log
	bytes atomic.Int64
}

func (l *weighing) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if strings.HasPrefix(stream, domain.RunPrefix) {
		for _, e := range events {
			l.bytes.Add(int64(e.Size()))
		}
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

// counting is a saga that plans n rounds of one step with an output of about 250 bytes, and carries
// a count along.
func counting(n int) *saga.Saga[int, int] {
	text := strings.Repeat("x", 240)
	step := &saga.Action[int, string]{Name: "step", Effect: saga.NoEffect, Do: func(_ context.Context, i int) (string, error) { return text, nil }}
	planner := &saga.Action[saga.PlannerIn[int], saga.Steps[int]]{Name: "planner", Effect: saga.NoEffect,
		Do: func(_ context.Context, in saga.PlannerIn[int]) (saga.Steps[int], error) {
			seen := 0
			if err := in.DecodeCarry(&seen); err != nil {
				return saga.Steps[int]{}, err
			}
			for _, r := range in.Results {
				var out string
				if err := r.Decode(&out); err != nil || out != text || r.Round != in.Round-1 {
					return saga.Steps[int]{}, saga.Permanent(fmt.Errorf("result of round %d: %q %w", r.Round, out, err))
				}
				seen++
			}
			if in.Round > n {
				return saga.Steps[int]{Done: true, Output: seen}, nil
			}
			return saga.Steps[int]{Do: []saga.NextStep{saga.Next(step, in.Round)}, Carry: seen}, nil
		}}
	return saga.Define("counts", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		return saga.Plan(f, "agent", planner, in.In, saga.Uses(step), saga.MaxRounds(100_000))
	})
}

// TestRoundsCostTheSame: the bytes of a plan's rounds grow as their number does, and a plan has as
// many results as it likes.
func TestRoundsCostTheSame(t *testing.T) {
	t.Parallel()
	perRound := func(n int) float64 {
		log, s := &weighing{Log: memlog.New()}, counting(n)
		c := begin(t, log, saga.Config{Logger: slog.New(slog.DiscardHandler), SnapshotEvery: -1}, s)
		seen, err := start(t, c, s, 0).Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, n, seen, "the planner sees each result once, and what it carried")
		return float64(log.bytes.Load()) / float64(n)
	}
	short := perRound(250)
	require.InDelta(t, short, perRound(4_000), short/20) // of 1 MB of results
}

// BenchmarkPlan plans rounds of one step; time and bytes of a round are to be the same however many
// there are.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{500, 1000, 2000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			log, s := &weighing{Log: memlog.New()}, counting(n)
			c := begin(b, log, saga.Config{Logger: slog.New(slog.DiscardHandler)}, s)
			began, rounds := time.Now(), 0
			for b.Loop() {
				_, err := start(b, c, s, 0).Wait(b.Context())
				require.NoError(b, err)
				rounds += n
			}
			b.ReportMetric(float64(time.Since(began).Microseconds())/float64(rounds), "µs/round")
			b.ReportMetric(float64(log.bytes.Load())/float64(rounds), "B/round")
		})
	}
}
