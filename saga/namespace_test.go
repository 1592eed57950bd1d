package saga_test

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/queue"
)

// narrow is a broker whose tables keep message ids in 36 characters, as watermill-sql's do.
type narrow struct {
	message.Publisher
	mu     sync.Mutex
	topics []string
	tooBig []string
}

func (p *narrow) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	p.topics = append(p.topics, topic)
	for _, m := range messages {
		if len(m.UUID) > 36 {
			p.tooBig = append(p.tooBig, m.UUID)
		}
	}
	p.mu.Unlock()
	return bytesOnly{p.Publisher}.Publish(topic, messages...)
}

func TestMessageIDsFitEveryBroker(t *testing.T) {
	t.Parallel()
	broker, err := queue.New(queue.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	wire := &narrow{Publisher: broker.Publisher()}
	step := &saga.Action[int, int]{Name: "step", Effect: saga.NoEffect,
		Do: func(_ context.Context, n int) (int, error) { return n, nil }}
	s := saga.Define("narrow", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, step, in.In) })
	c := begin(t, memlog.New(), saga.Config{Publisher: wire, Subscriber: broker.Group("")}, s)
	run, err := saga.Start(t.Context(), c, s, 1)
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	require.NoError(t, err)
	wire.mu.Lock()
	defer wire.mu.Unlock()
	require.Empty(t, wire.tooBig)
	require.Equal(t, []string{"atone.action.step", "atone.outcomes"}, wire.topics)
}

// TestNamespacesKeepLogsApart runs two coordinators, each on a log of its own, over one broker.
func TestNamespacesKeepLogsApart(t *testing.T) {
	t.Parallel()
	broker, err := queue.New(queue.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	wire := &narrow{Publisher: broker.Publisher()}
	group := broker.Group("")
	build := func(by int) *saga.Saga[int, int] {
		step := &saga.Action[int, int]{Name: "step", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return by * n, nil }}
		return saga.Define("apart", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, step, in.In) })
	}
	for namespace, by := range map[string]int{"shop": 2, "": 3} {
		s := build(by)
		c := begin(t, memlog.New(), saga.Config{Publisher: wire, Subscriber: group, Namespace: namespace, NoWorker: true}, s)
		w, err := saga.NewWorker(saga.WorkerConfig{Sagas: []saga.AnySaga{s}, Publisher: wire, Subscriber: group, Namespace: namespace,
			Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(context.Background())
		ended := sync.WaitGroup{}
		ended.Go(func() { _ = w.Run(ctx) })
		t.Cleanup(func() { stop(); ended.Wait() })
		for n := range 20 {
			run, err := saga.Start(t.Context(), c, s, n)
			require.NoError(t, err)
			out, err := run.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, by*n, out)
		}
	}
	wire.mu.Lock()
	defer wire.mu.Unlock()
	slices.Sort(wire.topics)
	require.Equal(t, []string{"atone.action.step", "atone.outcomes", "atone.shop.action.step", "atone.shop.outcomes"}, slices.Compact(wire.topics))
}

func TestNamespacesAreChecked(t *testing.T) {
	t.Parallel()
	for _, namespace := range []string{"a.b", "ü", " ", "action", "outcomes", "a*", "a/b", string(slices.Repeat([]byte("x"), 41))} {
		_, err := saga.New(saga.Config{Log: memlog.New(), Namespace: namespace})
		require.ErrorContains(t, err, "namespace", "%q", namespace)
		_, err = saga.NewWorker(saga.WorkerConfig{Namespace: namespace})
		require.ErrorContains(t, err, "namespace", "%q", namespace)
	}
}

// errorCounter counts the records of a level.
type errorCounter struct {
	slog.Handler
	errors *atomic.Int64
}

func (c errorCounter) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		c.errors.Add(1)
	}
	return nil
}

func (c errorCounter) Enabled(context.Context, slog.Level) bool { return true }
func (c errorCounter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c errorCounter) WithGroup(string) slog.Handler            { return c }

// TestOutcomesForAnotherLogAreLeftInTheBroker runs two coordinators on different logs that were
// given one broker and one namespace, with keyed runs of the same ids: each refuses the other's
// outcomes, and the broker keeps them.
func TestOutcomesForAnotherLogAreLeftInTheBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker, err := queue.New(queue.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, broker.Close()) })
		wire, group := bytesOnly{broker.Publisher()}, broker.Group("")
		errs := new(atomic.Int64)
		var runs []*saga.Run[int]
		for range 2 {
			step := &saga.Action[int, int]{Name: "step", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return 2 * n, nil }}
			s := saga.Define("foreign", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, step, in.In) })
			c := begin(t, memlog.New(), saga.Config{Publisher: wire, Subscriber: group, Logger: slog.New(errorCounter{errors: errs})}, s)
			for n := range 10 {
				run, err := saga.Start(t.Context(), c, s, n, saga.Key(strconv.Itoa(n)))
				require.NoError(t, err)
				runs = append(runs, run)
			}
		}
		for i, run := range runs {
			out, err := run.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2*(i%10), out)
		}
		require.Positive(t, errs.Load(), "it is said")
		require.LessOrEqual(t, errs.Load(), int64(2), "and once a minute at most")
	})
}
