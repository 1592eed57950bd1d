package saga_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/sagatest"
)

// blockCounter is a log that counts run.blocked events and ends a flood of them, so that a test
// fails instead of hanging.
type blockCounter struct {
	domain.Log
	blocks atomic.Int32
}

func (l *blockCounter) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	for _, e := range events {
		if e.Type == (*domain.RunBlocked)(nil).WireName() && l.blocks.Add(1) > 50 {
			return domain.Appended{}, domain.ErrAccessDenied
		}
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

// blockedRun returns a log on which a node, which is gone since, started a run of the saga.
func blockedRun(t *testing.T, s *saga.Saga[string, string]) (*memlog.Log, domain.RunID) {
	t.Helper()
	log := memlog.New()
	ctx, cancel := context.WithCancel(t.Context())
	cfg := node("first")
	cfg.Log = log
	c, err := saga.New(cfg)
	require.NoError(t, err)
	require.NoError(t, c.Register(s))
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	id, err := c.StartByName(ctx, "family", 0, []byte(`"x"`))
	require.NoError(t, err)
	synctest.Wait()
	cancel()
	<-ended
	return log, id
}

// TestBlockedRunIsSaidToBeSoOnce: nodes without the code of a run take it over from a dead node.
// Each records at most once that it is blocked: they do not answer each other for ever.
func TestBlockedRunIsSaidToBeSoOnce(t *testing.T) {
	t.Parallel()
	childOf := func(name string) *saga.Saga[string, string] {
		return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") })
	}
	work := func(name string) *saga.Action[string, string] {
		return &saga.Action[string, string]{Name: name, Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return in, nil }}
	}
	children := saga.Define("family", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Parallel(f,
			func(f *saga.Flow) { saga.Child(f, childOf("one"), in.In) },
			func(f *saga.Flow) { saga.Child(f, childOf("two"), in.In) })
		return in
	})
	actions := saga.Define("family", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		saga.Await[string](f, "go")
		saga.Parallel(f,
			func(f *saga.Flow) { saga.Do(f, work("one"), in.In) },
			func(f *saga.Flow) { saga.Do(f, work("two"), in.In) },
			func(f *saga.Flow) { saga.Sleep(f, time.Minute) })
		return in
	})
	lacking := [][]saga.AnySaga{nil, {chain("other", work("three"))}, {childOf("three")}, nil}
	for name, s := range map[string]*saga.Saga[string, string]{"children": children, "actions": actions} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, id := blockedRun(t, s)
				if name == "children" { // the children's starts did not arrive
					log, id = withoutChildren(t, log, id)
				}
				counter := &blockCounter{Log: log}
				var nodes []*saga.Coordinator
				for i, sagas := range lacking {
					cfg := node(fmt.Sprint("node-", i))
					cfg.CacheRuns = 1
					nodes = append(nodes, begin(t, counter, cfg, sagas...))
				}
				if name == "actions" {
					require.NoError(t, nodes[0].Signal(t.Context(), id, "go", "x"))
				}
				time.Sleep(10 * time.Minute)
				require.LessOrEqual(t, counter.blocks.Load(), int32(2*len(nodes)), "run.blocked events")
				require.NotZero(t, counter.blocks.Load())
				able := begin(t, counter, node("able"), s)
				for _, child := range []string{"one", "two"} {
					if name == "children" {
						sagatest.UntilOn(t, log, domain.ChildRunID(id, child), func(v explain.Run) bool { return len(v.Steps) > 0 })
						require.NoError(t, able.Signal(t.Context(), domain.ChildRunID(id, child), "go", "x"))
					}
				}
				_, err := able.Wait(t.Context(), id)
				require.NoError(t, err)
			})
		})
	}
}

// withoutChildren copies a log save the streams of the run's children.
func withoutChildren(t *testing.T, log *memlog.Log, id domain.RunID) (*memlog.Log, domain.RunID) {
	t.Helper()
	out := memlog.New()
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		if run, ok := domain.RunOfStream(e.Stream); ok && run != id {
			continue
		}
		_, err = out.Append(t.Context(), e.Stream, domain.AnyRevision, e.NewEvent)
		require.NoError(t, err)
	}
	return out, id
}

// TestOutputThatCannotBeMadeBlocksTheRunOnce: past its pivot a run whose output's code fails, each
// time with other words, waits for a person; it does not say so for ever.
func TestOutputThatCannotBeMadeBlocksTheRunOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		work := &saga.Action[string, string]{Name: "work", Effect: saga.NoEffect, Do: func(_ context.Context, in string) (string, error) { return in, nil }}
		s := saga.Define("no-output", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Pivot(f)
			saga.Do(f, work, in.In)
			return saga.Return(f, func(saga.Scope) string { panic(fmt.Sprint("defect ", calls.Add(1))) })
		})
		counter := &blockCounter{Log: memlog.New()}
		c := begin(t, counter, node("a"), s)
		begin(t, counter, node("b"), s)
		run := start(t, c, s, "x")
		time.Sleep(10 * time.Minute)
		require.Positive(t, counter.blocks.Load())
		require.LessOrEqual(t, counter.blocks.Load(), int32(2))
		v, err := c.Describe(t.Context(), run.ID)
		require.NoError(t, err)
		require.Contains(t, v.Blocked, "the saga's output can't be made: the saga's code for this step panicked: defect")
	})
}
