package saga_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// deadLog is a log whose coordinator died: nothing that it appends arrives any more.
type deadLog struct {
	domain.Log
	dead atomic.Bool
}

func (l *deadLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if l.dead.Load() {
		<-ctx.Done()
		return domain.Appended{}, ctx.Err()
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

func node(name string) saga.Config {
	return saga.Config{Node: name, Shared: true, NodeTimeout: 400 * time.Millisecond, TakeoverDelay: 50 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler), ShutdownTimeout: time.Second}
}

func TestNodesTakeOverFromOneThatDied(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var hold atomic.Bool
	hold.Store(true)
	entered := make(chan struct{}, 100)
	block := make(chan struct{})
	work := &saga.Action[int, int]{Name: "work", Undo: func(context.Context, saga.Did[int, int]) error { return nil }, Retry: fastRetry,
		Do: func(_ context.Context, n int) (int, error) {
			if hold.Load() {
				entered <- struct{}{}
				<-block
			}
			return n + 1, nil
		}}
	s := saga.Define("shared", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		a := saga.Do(f, work, in.In)
		saga.Sleep(f, 20*time.Millisecond)
		return saga.Do(f, work, a.In, saga.Name("again"))
	})
	log := memlog.New()
	victimLog := &deadLog{Log: log}
	victim := begin(t, victimLog, node("victim"), s)
	t.Cleanup(func() { close(block) })
	second := begin(t, log, node("second"), s)
	third := begin(t, log, node("third"), s)

	var runs []*saga.Run[int]
	for i := range 20 {
		r, err := saga.Start(ctx, victim, s, i)
		require.NoError(t, err)
		runs = append(runs, r)
	}
	for range runs {
		<-entered
	}
	hold.Store(false)
	victimLog.dead.Store(true) // its handlers hang, and nothing it writes arrives
	for i, r := range runs {
		c := second
		if i%2 == 0 {
			c = third
		}
		wait, cancel := context.WithTimeout(ctx, 30*time.Second)
		n, err := saga.RunOf[int](c, r.ID).Wait(wait)
		cancel()
		if err != nil {
			for e := range log.ReadStream(ctx, domain.RunStream(r.ID), 0) {
				t.Logf("%d %s %s %s %s", e.Revision, e.Created.Format("05.000"), e.Type, e.Data, e.Metadata)
			}
		}
		require.NoError(t, err)
		require.Equal(t, i+2, n)
	}
}

func TestWaiterOnOneNodeHearsOfTheEndOnAnother(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := saga.Define("signalled", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Await[int](f, "go") })
	log := memlog.New()
	a, b := begin(t, log, node("a"), s), begin(t, log, node("b"), s)
	run, err := saga.Start(ctx, a, s, 1)
	require.NoError(t, err)
	got := make(chan int, 1)
	go func() {
		n, err := run.Wait(ctx)
		if err == nil {
			got <- n
		}
	}()
	require.Eventually(t, func() bool { return b.Signal(ctx, run.ID, "go", 7) == nil }, 10*time.Second, time.Millisecond)
	select {
	case n := <-got:
		require.Equal(t, 7, n)
	case <-time.After(20 * time.Second):
		t.Fatal("the waiter was not told")
	}
}
