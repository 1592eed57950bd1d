package queue_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/queue"
)

func TestClose_WaitsForWhatIsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{CloseTimeout: time.Minute})
		work := subscribe(t, q, "work")
		publish(t, q, "work", "a", "b")
		a := receive(t, work, "a")

		closed := make(chan error, 1)
		go func() { closed <- q.Close() }()
		synctest.Wait() // else the last message may still be received
		_, open := <-work
		require.False(t, open, "nothing is handed out any more")
		requireBlocked(t, closed)
		require.NoError(t, a.Context().Err(), "a handler may finish while the queue closes")

		require.True(t, a.Ack())
		require.NoError(t, <-closed)
	})
}

func TestClose_TakesBackWhatIsNotSettledInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{CloseTimeout: time.Minute})
		work := subscribe(t, q, "work")
		publish(t, q, "work", "a")
		a := receive(t, work, "a")

		start := time.Now()
		require.ErrorContains(t, q.Close(), "1 messages neither acked nor nacked after 1m0s")
		require.Equal(t, time.Minute, time.Since(start))
		require.Error(t, a.Context().Err())
		require.False(t, a.Ack(), "too late, and it says so")
	})
}

func TestClose_StopsRedeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{RedeliveryDelay: func(int) time.Duration { return time.Hour }})
		work := subscribe(t, q, "work")
		publish(t, q, "work", "a", "b")
		receive(t, work, "a").Nack()
		b := receive(t, work, "b")
		closed := make(chan error, 1)
		go func() { closed <- q.Close() }()
		synctest.Wait()
		b.Nack()
		require.NoError(t, <-closed)
		require.Equal(t, queue.Depth{Ready: 2}, q.Depth("work", ""))
	})
}

func TestSubscriberClose_GivesUnsettledMessagesBackToTheGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{CloseTimeout: time.Minute})
		first := q.Group("g")
		work := subscribe(t, first, "work")
		publish(t, q, "work", "a", "b")
		a := receive(t, work, "a")
		require.NoError(t, first.Close())
		require.False(t, a.Ack())

		work = subscribe(t, q.Group("g"), "work")
		a = receive(t, work, "a")
		require.Equal(t, 2, queue.Attempt(a))
		require.True(t, a.Ack())
		receive(t, work, "b").Ack()
		_, err := first.Subscribe(t.Context(), "work")
		require.ErrorIs(t, err, queue.ErrClosed)
	})
}

func TestSubscribe_WhenItsContextEndsUnsettledMessagesComeBackAfterTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{CloseTimeout: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		ending, err := q.Subscribe(ctx, "work")
		require.NoError(t, err)
		publish(t, q, "work", "kept", "acked late", "b")
		kept, late := receive(t, ending, "kept"), receive(t, ending, "acked late")

		start := time.Now()
		cancel()
		synctest.Wait() // else the last message may still be received
		_, open := <-ending
		require.False(t, open)
		work := subscribe(t, q, "work")
		receive(t, work, "b").Ack()
		require.True(t, late.Ack(), "still its to settle")

		again := receive(t, work, "kept")
		require.Equal(t, time.Minute, time.Since(start))
		require.False(t, kept.Ack())
		require.True(t, again.Ack())
		synctest.Wait()
		require.Zero(t, q.Depth("work", ""))
	})
}

func TestSubscribe_WithAnEndedContextIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	work, err := q.Subscribe(ctx, "work")
	require.NoError(t, err)
	for msg := range work {
		require.Fail(t, "nothing was published", "%v", msg)
	}
}

func TestRouter_FinishesItsHandlersWhenItCloses(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{})
	router := message.NewDefaultRouter(watermill.NopLogger{})
	release, started := make(chan struct{}), make(chan struct{}, 64)
	var handled atomic.Int64
	router.AddHandler("work", "work", q.Group("workers"), "outcomes", q.Publisher(), func(msg *message.Message) ([]*message.Message, error) {
		started <- struct{}{}
		<-release
		handled.Add(1)
		return message.Messages{message.NewMessage(msg.UUID, nil)}, nil
	})
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	<-router.Running()
	publish(t, q, "work", numbers(64)...)
	for range 64 {
		<-started
	}

	closed := make(chan error, 1)
	go func() { closed <- router.Close() }()
	close(release)
	require.NoError(t, <-closed)
	require.NoError(t, <-ended)
	require.EqualValues(t, 64, handled.Load())
	require.Zero(t, q.Depth("work", "workers"), "everything that was handed out is settled")
	require.Equal(t, 64, q.Depth("outcomes", "").Ready, "the router closed its publisher, not the queue")
}

// TestNothingIsLost_WhileConsumersFailComeAndGo has consumers that nack, that leave without
// settling and that are slow to receive. Each message must be acked in the end.
func TestNothingIsLost_WhileConsumersFailComeAndGo(t *testing.T) {
	t.Parallel()
	const messages, publishers, consumers = 2000, 4, 6
	q := newQueue(t, queue.Config{
		Capacity: 64, InFlight: 16, CloseTimeout: time.Millisecond,
		RedeliveryDelay: func(attempt int) time.Duration { return time.Duration(attempt%3) * time.Millisecond },
	})
	require.NoError(t, q.Group("g").SubscribeInitialize("work"))

	var acked sync.Map
	var left atomic.Int64
	left.Store(messages)
	finished, finish := context.WithCancel(t.Context())
	defer finish()
	settle := func(i int, msg *message.Message) {
		if i%3 == 0 && queue.Attempt(msg) < 3 {
			msg.Nack()
			return
		}
		if !msg.Ack() {
			return // taken back: it comes again
		}
		if _, again := acked.LoadOrStore(msg.UUID, true); !again && left.Add(-1) == 0 {
			finish()
		}
	}

	var group sync.WaitGroup
	for range consumers {
		group.Go(func() {
			for finished.Err() == nil {
				sub := q.Group("g")
				work, err := sub.Subscribe(finished, "work")
				if err != nil {
					t.Error(err)
					return
				}
				received := 0
				for msg := range work {
					if received++; received == 100 {
						break // with this one unsettled, and perhaps one being sent
					}
					settle(received, msg)
				}
				if err := sub.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for p := range publishers {
		group.Go(func() {
			for _, uuid := range numbers(messages / publishers) {
				if err := q.Publish("work", message.NewMessage(string(rune('a'+p))+uuid, nil)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.Zero(t, left.Load())
	require.Zero(t, q.Depth("work", "g"))
}
