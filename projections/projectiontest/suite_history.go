package projectiontest

import (
	"context"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
)

// replaced starts a runner over the log and requires that it finds, by itself, that the live rows
// are not this log's: it says so, goes on to answer from them, marked as old, and replaces them.
func replaced(t *testing.T, log projections.Source, events int, store projections.Store) {
	t.Helper()
	var said saidLines
	held := make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	v := counter(1, func(int64) error { <-held; return nil })
	before, err := store.Select(t.Context(), &v, projections.Query{Table: "counter"})
	require.NoError(t, err)
	require.False(t, before.As.Old)
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v}, Logger: said.logger()})
	t.Cleanup(release)
	ask := func() projections.Found {
		page, err := r.Reader().Rows(t.Context(), &v, projections.Query{Table: "counter"}, projections.Fresh{})
		require.NoError(t, err)
		return page
	}
	eventually(t, "the rows are marked as old", func() bool { return ask().As.Old })
	require.Equal(t, before.Rows, ask().Rows, "the old rows answer")
	s, err := r.Status(t.Context())
	require.NoError(t, err)
	require.True(t, s[0].Live.Old)
	require.NotEmpty(t, s[0].NotOurs)
	require.EqualValues(t, events, s[0].LagEvents, "the lag is that of the rows being built")
	require.Contains(t, said.text(), "does not belong to this log")
	_, err = r.Reader().Rows(t.Context(), &v, projections.Query{Table: "counter"}, projections.Fresh{AtLeast: 1, Wait: time.Millisecond})
	require.ErrorIs(t, err, projections.ErrBehind, "old rows are not fresh")

	release()
	eventually(t, "the rows are replaced", func() bool { return !ask().As.Old })
	require.EqualValues(t, events, counted(t, store, &v))
	gens, err := store.Generations(t.Context(), v.Name)
	require.NoError(t, err)
	require.Len(t, gens, 1)
}

// built has a view built from the log.
func built(t *testing.T, log projections.Source, last domain.Position, store projections.Store) {
	t.Helper()
	v := counter(1, nil)
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v}})
	r.reach(t, last, v.Name)
	r.stop()
}

// rowsOfALostPart puts an older copy of the log back, once as it was and once grown again since,
// past where the rows stand.
func rowsOfALostPart(t *testing.T, open Opener) {
	for _, grown := range []int{0, 200} {
		began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		clock := func(now *time.Time) func() time.Time {
			return func() time.Time { *now = now.Add(time.Millisecond); return *now }
		}
		now := began
		log, made := memlog.NewWithConfig(memlog.Config{Now: clock(&now)}), NewRuns(14)
		last, err := made.Write(t.Context(), log, 60)
		require.NoError(t, err)
		store, _ := open(t)
		built(t, log, last.Position, store)

		now = began
		older, made := memlog.NewWithConfig(memlog.Config{Now: clock(&now)}), NewRuns(14)
		_, err = made.Write(t.Context(), older, 20)
		require.NoError(t, err)
		if now = began.Add(time.Hour); grown > 0 {
			_, err := made.Write(t.Context(), older, grown)
			require.NoError(t, err)
		}
		replaced(t, older, made.Events, store)
	}
}

// rowsOfAnotherLog gives the views a log that has nothing to do with theirs, shorter and longer.
func rowsOfAnotherLog(t *testing.T, open Opener) {
	for _, appends := range []int{20, 200} {
		log, _, last := written(t, 15, 60)
		store, _ := open(t)
		built(t, log, last, store)
		other, made, _ := written(t, 16, appends)
		replaced(t, other, made.Events, store)
	}
}

// rowsAtNoPosition has what an earlier version stored when a server told a position that no event
// can have.
func rowsAtNoPosition(t *testing.T, open Opener) {
	store, _ := open(t)
	v := counter(1, nil)
	n := made(t, store, &v)
	require.NoError(t, store.Update(t.Context(), &v, n, projections.Checkpoint{}, projections.Checkpoint{Position: domain.EndPosition},
		func(projections.Tx) error { return nil }))
	require.NoError(t, store.Promote(t.Context(), &v, n))
	log, made, _ := written(t, 17, 40)
	replaced(t, log, made.Events, store)
}

// unfinishedOfAnotherLog finds a rebuild that was cut short when the log was replaced.
func unfinishedOfAnotherLog(t *testing.T, open Opener) {
	log, _, last := written(t, 15, 60)
	store, _ := open(t)
	v := counter(1, nil)
	n := made(t, store, &v)
	require.NoError(t, store.Update(t.Context(), &v, n, projections.Checkpoint{}, projections.Checkpoint{Position: last, Events: 60, At: time.Now()},
		func(tx projections.Tx) error { return tx.Put(t.Context(), "counter", projections.Row{1, 60}) }))
	_ = log
	other, made, end := written(t, 16, 20)
	r := start(t, runner.Config{Source: other, Store: store, Views: []projections.View{v}})
	r.reach(t, end, v.Name)
	require.EqualValues(t, made.Events, counted(t, store, &v))
}

// laggingFollower reads through a follower that shows less than the leader has.
func laggingFollower(t *testing.T, open Opener) {
	log, made, last := written(t, 18, 60)
	store, _ := open(t)
	built(t, log, last, store)
	gens, err := store.Generations(t.Context(), "counter")
	require.NoError(t, err)
	want := gens[0].Number
	var all []domain.Recorded
	for r, err := range log.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		all = append(all, r)
	}
	follower := &follower{Log: log, all: all, looked: make(chan struct{}, 1)}
	follower.shown.Store(int64(len(all) / 2))
	v := counter(1, nil)
	r := start(t, runner.Config{Source: follower, Store: store, Views: []projections.View{v}, Poll: time.Millisecond})
	for range 5 { // it looks again and again, and concludes nothing
		<-follower.looked
	}
	follower.shown.Store(int64(len(all)))
	next, err := made.Write(t.Context(), log, 1)
	require.NoError(t, err)
	r.reach(t, next.Position, v.Name)
	require.EqualValues(t, made.Events, counted(t, store, &v))
	gens, err = store.Generations(t.Context(), v.Name)
	require.NoError(t, err)
	require.Len(t, gens, 1)
	require.Equal(t, want, gens[0].Number, "nothing was rebuilt")
	require.False(t, gens[0].Old)
}

// follower shows the beginning of a log, and knows from the leader where that one ends.
type follower struct {
	*memlog.Log
	all    []domain.Recorded
	shown  atomic.Int64
	looked chan struct{} // one word for each look backward, while somebody listens
}

// LastPosition implements [domain.LastPositioner]: the leader answers, who has everything.
func (f *follower) LastPosition(ctx context.Context) (domain.Position, error) {
	for r, err := range f.Log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{}) {
		return r.Position, err
	}
	return 0, nil
}

// ReadAllBackward begins with the newest event that the follower has.
func (f *follower) ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	select {
	case f.looked <- struct{}{}:
	default:
	}
	if n := f.shown.Load(); n < int64(len(f.all)) && before > f.all[n].Position {
		if before != domain.EndPosition {
			return func(yield func(domain.Recorded, error) bool) { yield(domain.Recorded{}, domain.ErrBadPosition) }
		}
		before = f.all[n].Position
	}
	return f.Log.ReadAllBackward(ctx, before, filter)
}

// impossibleCheckpoint has a server that says, where it has found no event yet, that it searched to
// the end of all positions: the rows must not stand there, and what comes later must be applied.
func impossibleCheckpoint(t *testing.T, open Opener) {
	log, made := memlog.New(), NewRuns(19)
	_, err := log.Append(t.Context(), "others-1", domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: "t"})
	require.NoError(t, err)
	store, _ := open(t)
	views := append(views.All(), counter(1, nil))
	start(t, runner.Config{Source: endless{log}, Store: store, Views: views})
	eventually(t, "the views are built", func() bool {
		for _, view := range views {
			gens, err := store.Generations(t.Context(), view.Name)
			if err != nil || len(gens) == 0 || !gens[0].Live {
				return false
			}
		}
		return true
	})
	last, err := made.Write(t.Context(), log, 20)
	require.NoError(t, err)
	v := counter(1, nil)
	eventually(t, "what came later is applied", func() bool {
		page, err := store.Select(t.Context(), &v, projections.Query{Table: "counter"})
		return err == nil && len(page.Rows) == 1 && page.Rows[0][1] == int64(made.Events)
	})
	for _, view := range views {
		gens, err := store.Generations(t.Context(), view.Name)
		require.NoError(t, err)
		require.LessOrEqual(t, gens[0].Position, last.Position)
	}
}

// endless is a log with such a server's checkpoints.
type endless struct{ *memlog.Log }

// Subscribe says first that everything was searched.
func (e endless) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		if yield(domain.Delivery{Position: domain.EndPosition}, nil) {
			e.Log.Subscribe(ctx, after, filter)(yield)
		}
	}
}

// saidLines keeps what is logged.
type saidLines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *saidLines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Write implements io.Writer.
func (s *saidLines) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *saidLines) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
