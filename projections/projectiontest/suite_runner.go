package projectiontest

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/views"
)

// rounds is how many logs are made up to compare a rebuild with. Each opens stores, which is what
// takes the time.
var rounds = flag.Int("rounds", 12, "how many logs RebuildEqualsLive makes up")

// rebuildEqualsLive projects runs while they are written, then all over again, and compares.
func rebuildEqualsLive(t *testing.T, open Opener) {
	for range *rounds {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		appends, batch, restarts := 1+random.IntN(300), 1+random.IntN(40), random.IntN(3)

		store, _ := open(t)
		log, made := memlog.New(), NewRuns(seed)
		var last domain.Appended
		for range restarts + 1 {
			live := start(t, runner.Config{Source: log, Store: store, Batch: batch, Linger: -1})
			for range 3 {
				var err error
				last, err = made.Write(t.Context(), log, 1+appends/(3*(restarts+1)))
				require.NoError(t, err)
				live.reach(t, last.Position, builtin...)
			}
			live.stop()
		}
		rebuilt, _ := open(t)
		fresh := start(t, runner.Config{Source: log, Store: rebuilt})
		fresh.reach(t, last.Position, builtin...)
		want := dumpAll(t, rebuilt)
		require.NotEmpty(t, want["runs"]["runs"])
		require.Equal(t, want, dumpAll(t, store), "seed %d", seed)
		fresh.stop()
		// many of them would hold too many connections
		for _, s := range []projections.Store{store, rebuilt} {
			if c, ok := s.(io.Closer); ok {
				require.NoError(t, c.Close())
			}
		}
	}
}

func batchesDoNotMatter(t *testing.T, open Opener) {
	log, _, last := written(t, 7, 150)
	var want map[string]map[string][]string
	for _, batch := range []int{1, 17, 4096} {
		store, _ := open(t)
		r := start(t, runner.Config{Source: log, Store: store, Batch: batch})
		r.reach(t, last, builtin...)
		got := dumpAll(t, store)
		if want == nil {
			want = got
		}
		require.Equal(t, want, got, "batches of %d", batch)
		r.stop()
	}
}

func queriesDuringRebuild(t *testing.T, open Opener) {
	log, _, last := written(t, 3, 120)
	store, _ := open(t)
	r := start(t, runner.Config{Source: log, Store: store, Batch: 10})
	r.reach(t, last, builtin...)
	want := dumpAll(t, store)

	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	var queries atomic.Int64
	runsView := runs.View()
	go func() {
		defer close(asked)
		for ctx.Err() == nil {
			rows, as, err := Dump(context.WithoutCancel(ctx), store, &runsView)
			if err != nil {
				asked <- err
				return
			}
			if len(rows["runs"]) != len(want["runs"]["runs"]) || as.Position != last {
				t.Errorf("a query during the rebuild saw %d runs at %d instead of %d at %d", len(rows["runs"]), as.Position, len(want["runs"]["runs"]), last)
				return
			}
			queries.Add(1)
		}
	}()
	for range 3 {
		before := queries.Load()
		for _, v := range builtin {
			require.NoError(t, r.Rebuild(t.Context(), v))
		}
		eventually(t, "queries go on", func() bool { return queries.Load() > before })
	}
	cancel()
	require.NoError(t, <-asked)
	require.Equal(t, want, dumpAll(t, store))
	gens, err := store.Generations(t.Context(), "runs")
	require.NoError(t, err)
	require.Len(t, gens, 1, "the old tables are gone")
	require.True(t, gens[0].Live)
	require.ErrorIs(t, r.Rebuild(t.Context(), "nonsense"), runner.ErrUnknownView)
}

func changedVersion(t *testing.T, open Opener) {
	log, made, last := written(t, 4, 50)
	store, _ := open(t)
	v1 := counter(1, nil)
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v1}})
	r.reach(t, last, "counter")
	r.stop()

	hold := make(chan struct{})
	v2 := counter(2, func(int64) error { <-hold; return nil })
	v2.Tables[0].Columns = append(v2.Tables[0].Columns, projections.Column{Name: "more", Type: projections.Int})
	v2.New = func() projections.Applier {
		return projections.ApplyFunc(func(ctx context.Context, tx projections.Tx, events []projections.Event) error {
			<-hold
			return tx.Put(ctx, "counter", projections.Row{1, int64(len(events)), 2})
		})
	}
	start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v2}})
	eventually(t, "the rebuild has begun", func() bool {
		gens, err := store.Generations(t.Context(), "counter")
		return err == nil && len(gens) == 2
	})
	require.Equal(t, int64(made.Events), counted(t, store, &v1), "the old rows answer meanwhile")
	close(hold)
	eventually(t, "the new rows are in place", func() bool {
		gens, err := store.Generations(t.Context(), "counter")
		return err == nil && len(gens) == 1 && gens[0].Version == 2 && gens[0].Live
	})
	page, err := store.Select(t.Context(), &v2, projections.Query{Table: "counter"})
	require.NoError(t, err)
	require.Equal(t, []projections.Row{{int64(1), int64(made.Events), int64(2)}}, page.Rows)
	_, err = store.Select(t.Context(), &v1, projections.Query{Table: "counter"})
	require.ErrorIs(t, err, projections.ErrNoView, "rows of another shape are not shown as if they were the old ones")
}

func olderProcess(t *testing.T, open Opener) {
	log, made, last := written(t, 5, 20)
	store, _ := open(t)
	v2 := counter(2, nil)
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v2}})
	r.reach(t, last, "counter")
	r.stop()
	old := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{counter(1, nil)}})
	eventually(t, "the older process says so", func() bool {
		s, err := old.Status(t.Context())
		return err == nil && s[0].Err != nil
	})
	require.Equal(t, int64(made.Events), counted(t, store, &v2))
}

func failingView(t *testing.T, open Opener) {
	log, made, last := written(t, 6, 100)
	store, _ := open(t)
	broken := counter(1, func(int64) error { panic(errBroken) })
	broken.Name = "broken"
	choosy, confused := counter(1, nil), counter(1, nil)
	choosy.Name, confused.Name = "choosy", "confused"
	choosy.Wants = func(e *domain.Recorded) bool { return e.Type == "run.started.v1" }
	confused.Wants = func(*domain.Recorded) bool { panic(errBroken) }
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{counter(1, nil), broken, choosy, confused}})
	r.reach(t, last, "counter", "choosy")
	v := counter(1, nil)
	require.Equal(t, int64(made.Events), counted(t, store, &v))
	eventually(t, "the failure is told", func() bool {
		s, err := r.Status(t.Context())
		return err == nil && s[1].Err != nil && s[3].Err != nil
	})
	s, err := r.Status(t.Context())
	require.NoError(t, err)
	require.NoError(t, s[0].Err)
	require.Nil(t, s[1].Live)
	require.Equal(t, int64(made.Events), s[1].LagEvents)
	require.Zero(t, s[2].LagEvents, "what a view does not want counts as seen")
	started := 0
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		if e.Type == "run.started.v1" {
			started++
		}
	}
	require.Equal(t, int64(started), counted(t, store, &choosy))
}

func slowView(t *testing.T, open Opener) {
	log, made, last := written(t, 8, 100)
	store, _ := open(t)
	hold := make(chan struct{})
	slow := counter(1, func(int64) error { <-hold; return nil })
	slow.Name = "slow"
	fast := counter(1, nil)
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{slow, fast}, Batch: 5})
	r.reach(t, last, "counter")
	after, err := made.Write(t.Context(), log, 50)
	require.NoError(t, err, "nor does it hold back the log")
	r.reach(t, after.Position, "counter")
	require.Equal(t, int64(made.Events), counted(t, store, &fast))
	s, err := r.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(made.Events), s[0].LagEvents)
	require.Zero(t, s[1].LagEvents)
	close(hold)
	r.reach(t, after.Position, "slow")
}

func failedBatch(t *testing.T, open Opener) {
	log, made, last := written(t, 9, 200)
	store, _ := open(t)
	calls := 0
	v := counter(1, func(int64) error {
		if calls++; calls%3 == 0 {
			return errBroken
		}
		return nil
	})
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v}, Batch: 10})
	r.reach(t, last, "counter")
	require.Equal(t, int64(made.Events), counted(t, store, &v))
	require.Greater(t, calls, 3)
}

func takeOver(t *testing.T, open Opener) {
	log, made, last := written(t, 10, 100)
	store, again := open(t)
	v := counter(1, nil)
	first := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v}, Batch: 7})
	first.reach(t, last, "counter")
	second := start(t, runner.Config{Source: log, Store: again(), Views: []projections.View{v}, Batch: 7})
	for range 5 {
		after, err := made.Write(t.Context(), log, 20)
		require.NoError(t, err)
		second.reach(t, after.Position, "counter")
	}
	first.stop()
	after, err := made.Write(t.Context(), log, 100)
	require.NoError(t, err)
	second.reach(t, after.Position, "counter")
	require.Equal(t, int64(made.Events), counted(t, store, &v))
}

func waitsForPosition(t *testing.T, open Opener) {
	log, made, last := written(t, 11, 10)
	store, _ := open(t)
	r := start(t, runner.Config{Source: log, Store: store, Linger: time.Hour})
	reader := r.ask()
	_, err := reader.Runs(t.Context(), runs.Filter{Fresh: projections.Fresh{AtLeast: last, Wait: patience}})
	require.NoError(t, err)
	for range 5 {
		a, err := made.Write(t.Context(), log, 1)
		require.NoError(t, err)
		page, err := reader.Runs(t.Context(), runs.Filter{Fresh: projections.Fresh{AtLeast: a.Position, Wait: patience}})
		require.NoError(t, err, "a query does not wait for the linger")
		require.GreaterOrEqual(t, page.As.Position, a.Position)
	}
	_, err = views.Of(projections.NewReader(store)).Runs(t.Context(), runs.Filter{Fresh: projections.Fresh{AtLeast: last + 1e6, Wait: time.Millisecond}})
	require.ErrorIs(t, err, projections.ErrBehind)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = reader.Runs(ctx, runs.Filter{Fresh: projections.Fresh{AtLeast: last + 1e6, Wait: patience}})
	require.ErrorIs(t, err, context.Canceled)
}

func lagReported(t *testing.T, open Opener) {
	log, made, last := written(t, 12, 50)
	store, _ := open(t)
	cfg := runner.Config{Source: log, Store: store, Views: []projections.View{counter(1, nil)}, Now: func() time.Time { return time.Now().Add(time.Hour) }}
	r := start(t, cfg)
	r.reach(t, last, "counter")
	s, err := r.Status(t.Context())
	require.NoError(t, err)
	require.Zero(t, s[0].LagEvents)
	require.Zero(t, s[0].Lag)
	require.Equal(t, int64(made.Events), s[0].Live.Events)
	r.stop()
	before := made.Events
	_, err = made.Write(t.Context(), log, 7000)
	require.NoError(t, err)
	idle, err := runner.New(cfg)
	require.NoError(t, err)
	s, err = idle.Status(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 10_000, s[0].LagEvents, "one question counts no more")
	require.True(t, s[0].LagMore)
	require.Greater(t, s[0].Lag, 59*time.Minute)
	s, err = idle.Status(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, made.Events-before, s[0].LagEvents, "positions have gaps: events are counted")
	require.False(t, s[0].LagMore)
}
