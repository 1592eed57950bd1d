package projectiontest

import (
	"context"
	"errors"
	"log/slog"
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

// quiet logs to the test.
func quiet(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelError}))
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

// running is a runner at work.
type running struct {
	*runner.Runner
	stop func()
}

// start runs views until the test ends or stop is called.
func start(t *testing.T, cfg runner.Config) *running {
	t.Helper()
	if len(cfg.Views) == 0 {
		cfg.Views = views.All()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = time.Millisecond
	}
	if cfg.Poll == 0 {
		cfg.Poll = 20 * time.Millisecond
	}
	runner, err := runner.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	stopped := false
	r := &running{Runner: runner, stop: func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}}
	t.Cleanup(r.stop)
	return r
}

// ask returns a reader of atone's own views.
func (r *running) ask() views.Reader { return views.Of(r.Reader()) }

const patience = 3 * time.Minute

// reach waits until the views stand at the position.
func (r *running) reach(t *testing.T, position domain.Position, names ...string) {
	t.Helper()
	for _, v := range names {
		require.NoError(t, r.AtLeast(t.Context(), v, position, patience))
	}
}

var builtin = []string{"runs", "audit", "incidents", "stats", "events"}

// written returns a log with made-up runs and the position of its last event.
func written(t *testing.T, seed uint64, appends int) (*memlog.Log, *Runs, domain.Position) {
	t.Helper()
	log, made := memlog.New(), NewRuns(seed)
	last, err := made.Write(t.Context(), log, appends)
	require.NoError(t, err)
	return log, made, last.Position
}

// dumpAll returns the content of all of this package's views.
func dumpAll(t *testing.T, store projections.Store) map[string]map[string][]string {
	t.Helper()
	out := map[string]map[string][]string{}
	for _, v := range views.All() {
		rows, _, err := Dump(t.Context(), store, &v)
		require.NoError(t, err)
		out[v.Name] = rows
	}
	return out
}

// counter is a view that counts events, by stream.
func counter(version int, fail func(n int64) error) projections.View {
	return projections.View{
		Name: "counter", Version: version,
		Tables: []projections.Table{{Name: "counter", Key: []string{"id"}, Columns: []projections.Column{{Name: "id", Type: projections.Int}, {Name: "n", Type: projections.Int}}}},
		New: func() projections.Applier {
			return projections.ApplyFunc(func(ctx context.Context, tx projections.Tx, events []projections.Event) error {
				n, err := count(ctx, tx)
				if err != nil {
					return err
				}
				n += int64(len(events))
				if err := tx.Put(ctx, "counter", projections.Row{1, n}); err != nil {
					return err
				}
				if fail != nil {
					return fail(n)
				}
				return nil
			})
		},
	}
}

func count(ctx context.Context, tx projections.Tx) (int64, error) {
	rows, err := tx.Select(ctx, projections.Query{Table: "counter", Where: []projections.Cond{projections.Eq("id", 1)}})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	n, _ := rows[0][1].(int64)
	return n, nil
}

// counted reads what the counter view has counted.
func counted(t *testing.T, store projections.Store, v *projections.View) int64 {
	t.Helper()
	page, err := store.Select(t.Context(), v, projections.Query{Table: "counter"})
	require.NoError(t, err)
	if len(page.Rows) == 0 {
		return 0
	}
	return page.Rows[0][1].(int64)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, 2*time.Millisecond, what)
}

var errBroken = errors.New("this view is broken")

// pages reads all pages of a query.
func pages[T any](t require.TestingT, limit int, page func(cursor string, limit int) ([]T, string, error)) []T {
	var all []T
	cursor := ""
	for {
		rows, next, err := page(cursor, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(rows), limit)
		all = append(all, rows...)
		if next == "" {
			return all
		}
		cursor = next
	}
}

func runPages(t require.TestingT, ctx context.Context, reader views.Reader, f runs.Filter, limit int) []runs.Row {
	return pages(t, limit, func(cursor string, limit int) ([]runs.Row, string, error) {
		f.Cursor, f.Limit = cursor, limit
		p, err := reader.Runs(ctx, f)
		return p.Rows, p.Next, err
	})
}

func first[A, B any](a A, _ B) A { return a }

// made creates a generation of the view and returns its number.
func made(t *testing.T, store projections.Store, v *projections.View) int {
	t.Helper()
	n, err := store.Create(t.Context(), v)
	require.NoError(t, err)
	return n
}

// projected returns a reader of made-up runs.
func projected(t *testing.T, open Opener, seed uint64, appends int) (views.Reader, *running, *memlog.Log, *Runs, domain.Position) {
	t.Helper()
	log, made, last := written(t, seed, appends)
	store, _ := open(t)
	r := start(t, runner.Config{Source: log, Store: store})
	r.reach(t, last, builtin...)
	return r.ask(), r, log, made, last
}
