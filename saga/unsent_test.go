package saga_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/queue"
)

// refusingBroker is a broker that takes no attempts of an action while down is set.
type refusingBroker struct {
	message.Publisher
	down atomic.Bool
}

func (p *refusingBroker) Publish(topic string, messages ...*message.Message) error {
	if p.down.Load() && strings.HasSuffix(topic, "action.charge") {
		return errors.New("value too long for type character varying(36)")
	}
	return bytesOnly{p.Publisher}.Publish(topic, messages...)
}

// TestARefusedPublishIsNotAnAttempt has a broker refuse attempts for much longer than all of them
// together may take.
func TestARefusedPublishIsNotAnAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker, err := queue.New(queue.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, broker.Close()) })
		wire := &refusingBroker{Publisher: broker.Publisher()}
		wire.down.Store(true)
		var calls atomic.Int64
		retry := saga.Retry{MaxAttempts: 2, Initial: time.Second}
		charge := &saga.Action[int, int]{Name: "charge", Timeout: 2 * time.Second, Retry: retry,
			Do:   func(_ context.Context, n int) (int, error) { calls.Add(1); return n + 1, nil },
			Undo: func(context.Context, saga.Did[int, int]) error { return errors.New("never") }}
		other := &saga.Action[int, int]{Name: "other", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return n, nil }}
		s := saga.Define("refused", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, charge, in.In) })
		fine := saga.Define("fine", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, other, in.In) })
		log := memlog.New()
		c := begin(t, log, saga.Config{Publisher: wire, Subscriber: broker.Group("")}, s, fine)
		run := start(t, c, s, 1)
		time.Sleep(time.Minute + 500*time.Millisecond) // no attempt begins or ends at that time

		why, err := c.Why(t.Context(), run.ID)
		require.NoError(t, err)
		require.Contains(t, why.Text, "value too long", "it is told what is wrong")
		v, err := c.Describe(t.Context(), run.ID)
		require.NoError(t, err)
		require.Equal(t, domain.RunRunning, v.State)
		require.False(t, v.Steps[0].InDoubt, "no handler was called")
		out, err := finished(t, start(t, c, fine, 5))
		require.NoError(t, err, "other actions go on")
		require.Equal(t, 5, out)

		wire.down.Store(false)
		out, err = finished(t, run)
		require.NoError(t, err)
		require.Equal(t, 2, out)
		require.EqualValues(t, 1, calls.Load())
		require.Empty(t, c.Unsent(run.ID, "charge", domain.Do, 1))
		checkStream(t, log, run.ID)
	})
}

// TestWhyMayBeAskedWhileTheCoordinatorStarts is for the race detector.
func TestWhyMayBeAskedWhileTheCoordinatorStarts(t *testing.T) {
	t.Parallel()
	broker, err := queue.New(queue.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	c, err := saga.New(saga.Config{Log: memlog.New(), Publisher: broker.Publisher(), Subscriber: broker.Group("")})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	for asking := true; asking; {
		require.Empty(t, c.Unsent(domain.NewRunID(), "step", domain.Do, 1))
		select {
		case <-c.Ready():
			asking = false
		default:
		}
	}
	stop()
	require.NoError(t, <-ended)
}
