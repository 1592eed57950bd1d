package sagatest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest"
)

// chain is a saga of n actions in sequence that do nothing.
func chain(n int) *saga.Saga[order, saga.None] {
	actions := make([]*saga.Action[order, saga.None], n)
	for i := range actions {
		actions[i] = &saga.Action[order, saga.None]{Name: fmt.Sprintf("step-%d", i+1),
			Do:   func(context.Context, order) (saga.None, error) { return saga.None{}, nil },
			Undo: func(context.Context, saga.Did[order, saga.None]) error { return nil }}
	}
	return saga.Define("chain", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
		for _, a := range actions {
			saga.Do(f, a, in.In)
		}
		return saga.Ref[saga.None]{}
	})
}

// tally is a test that notes how many schedules were played.
type tally struct {
	testing.TB
	n int
}

func (c *tally) Helper() {}
func (c *tally) Logf(_ string, args ...any) {
	var n int
	_, _ = fmt.Sscanf(args[0].(string), "%d schedules", &n)
	c.n += n
}

// BenchmarkExplore explores sagas of actions that do nothing, with all singles and pairs.
func BenchmarkExplore(b *testing.B) {
	for _, n := range []int{3, 8} {
		b.Run(fmt.Sprintf("steps=%d", n), func(b *testing.B) {
			s := chain(n)
			c := &tally{TB: b}
			for b.Loop() {
				sagatest.Explore(c, func(*sagatest.Edges) (None, *saga.Saga[order, saga.None]) { return None{}, s }, order{ID: "7"},
					sagatest.Budget(1<<30), sagatest.Without(sagatest.Stray, sagatest.Late))
			}
			b.ReportMetric(float64(c.n)/b.Elapsed().Seconds(), "schedules/s")
			b.ReportMetric(float64(c.n)/float64(b.N), "schedules/op")
		})
	}
}

// None is a world without anything.
type None struct{}

// Same is one too, and says so.
type Same struct{}

func (Same) Fingerprint() string { return "" }

// BenchmarkExploreMerged is BenchmarkExplore with a world that has a fingerprint.
func BenchmarkExploreMerged(b *testing.B) {
	for _, n := range []int{3, 8} {
		b.Run(fmt.Sprintf("steps=%d", n), func(b *testing.B) {
			s := chain(n)
			c := &tally{TB: b}
			for b.Loop() {
				sagatest.Explore(c, func(*sagatest.Edges) (Same, *saga.Saga[order, saga.None]) { return Same{}, s }, order{ID: "7"},
					sagatest.Budget(1<<30), sagatest.Without(sagatest.Stray, sagatest.Late))
			}
			b.ReportMetric(float64(c.n)/b.Elapsed().Seconds(), "schedules/s")
			b.ReportMetric(float64(c.n)/float64(b.N), "schedules/op")
		})
	}
}
