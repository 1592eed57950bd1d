package saga_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/queue"
)

// TestWorkersInOtherProcessesRunTheActions stands in for a broker with a queue: payloads are
// copied, so that nothing but bytes passes between coordinator and worker.
func TestWorkersInOtherProcessesRunTheActions(t *testing.T) {
	t.Parallel()
	broker, err := queue.New(queue.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	wire := bytesOnly{broker.Publisher()}

	var done, undone, seen atomic.Int64
	charge := &saga.Action[int, int]{Name: "charge", Retry: fastRetry,
		Do: func(ctx context.Context, n int) (int, error) {
			done.Add(1)
			return n + 1, saga.Emit(ctx, "charged", n)
		},
		Undo: func(_ context.Context, did saga.Did[int, int]) error {
			if did.Output == did.Input+1 {
				undone.Add(1)
			}
			return nil
		}}
	ship := &saga.Action[int, int]{Name: "ship", Effect: saga.NoEffect, Retry: fastRetry, Do: func(_ context.Context, n int) (int, error) {
		if n == 8 {
			return 0, saga.Permanent(errors.New("no stock"))
		}
		return 10 * n, nil
	}}
	s := saga.Define("remote", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		return saga.Do(f, ship, saga.Do(f, charge, in.In).In)
	})
	w, err := saga.NewWorker(saga.WorkerConfig{Sagas: []saga.AnySaga{s}, Publisher: wire, Subscriber: broker.Group(""), Logger: slog.New(slog.DiscardHandler),
		Middleware: []message.HandlerMiddleware{func(next message.HandlerFunc) message.HandlerFunc {
			return func(m *message.Message) ([]*message.Message, error) { seen.Add(1); return next(m) }
		}}})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()

	c := begin(t, memlog.New(), saga.Config{Publisher: wire, Subscriber: broker.Group(""), NoWorker: true}, s)
	ok, err := saga.Start(t.Context(), c, s, 3)
	require.NoError(t, err)
	n, err := ok.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 40, n)
	bad, err := saga.Start(t.Context(), c, s, 7)
	require.NoError(t, err)
	_, err = bad.Wait(t.Context())
	var comp *saga.CompensatedError
	require.ErrorAs(t, err, &comp)
	require.EqualValues(t, 2, done.Load())
	require.EqualValues(t, 1, undone.Load())
	require.EqualValues(t, 5, seen.Load(), "middleware is called for every attempt")
	stop()
	require.NoError(t, <-ended)
}

// bytesOnly drops what would not survive a broker.
type bytesOnly struct{ message.Publisher }

func (p bytesOnly) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		n := message.NewMessage(m.UUID, append([]byte(nil), m.Payload...))
		for k, v := range m.Metadata {
			n.Metadata.Set(k, v)
		}
		if err := p.Publisher.Publish(topic, n); err != nil {
			return err
		}
	}
	return nil
}

func TestWorkerConfigurationIsCheckedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := saga.NewWorker(saga.WorkerConfig{ShutdownTimeout: -time.Second})
	require.ErrorContains(t, err, "Publisher")
	require.ErrorContains(t, err, "nothing to run")
	require.ErrorContains(t, err, "negative")
}
