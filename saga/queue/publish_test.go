package queue_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/queue"
)

// publishing publishes from another goroutine; the channel gives the result.
func publishing(q *queue.Queue, topic string, messages ...*message.Message) <-chan error {
	result := make(chan error, 1)
	go func() { result <- q.Publish(topic, messages...) }()
	return result
}

func requireBlocked(t *testing.T, result <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		require.Fail(t, "Publish returned although the topic is full", "%v", err)
	default:
	}
}

func TestPublish_BlocksWhileFullUntilAMessageIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{Capacity: 2})
		publish(t, q, "work", "a", "b")

		third := publishing(q, "work", message.NewMessage("c", nil))
		requireBlocked(t, third)

		work := subscribe(t, q, "work")
		receive(t, work, "a").Ack()
		require.NoError(t, <-third)
		receive(t, work, "b").Ack()
		receive(t, work, "c").Ack()
	})
}

func TestPublish_BlockedPublishersContinueInTheOrderInWhichTheyCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{Capacity: 1, InFlight: 1})
		publish(t, q, "work", "0")
		for _, uuid := range []string{"1", "2", "3"} {
			requireBlocked(t, publishing(q, "work", message.NewMessage(uuid, nil)))
		}
		work := subscribe(t, q, "work")
		for _, uuid := range numbers(4) {
			receive(t, work, uuid).Ack()
		}
	})
}

func TestPublish_BlockedEndsWithTheMessagesContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{Capacity: 1})
		ctx, cancel := context.WithCancelCause(t.Context())
		late := message.NewMessageWithContext(ctx, "late", nil)
		blocked := publishing(q, "work", message.NewMessage("first", nil), late)
		requireBlocked(t, blocked)
		behind := publishing(q, "work", message.NewMessage("behind", nil))
		requireBlocked(t, behind)

		gaveUp := errors.New("gave up")
		cancel(gaveUp)
		err := <-blocked
		require.ErrorIs(t, err, gaveUp)
		require.ErrorContains(t, err, "1 of 2 messages were published")

		work := subscribe(t, q, "work")
		receive(t, work, "first").Ack()
		receive(t, work, "behind").Ack()
		require.NoError(t, <-behind)
	})
}

func TestPublish_BlockedEndsWithClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{Capacity: 1})
		publish(t, q, "work", "a")
		blocked := publishing(q, "work", message.NewMessage("b", nil))
		requireBlocked(t, blocked)
		require.NoError(t, q.Close())
		require.ErrorIs(t, <-blocked, queue.ErrClosed)
	})
}

func TestPublish_OneFullGroupHoldsUpTheTopic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{Capacity: 1})
		slow := q.Group("slow")
		require.NoError(t, slow.SubscribeInitialize("work"))
		quick := subscribe(t, q.Group("quick"), "work")
		publish(t, q, "work", "a")
		receive(t, quick, "a").Ack()

		blocked := publishing(q, "work", message.NewMessage("b", nil))
		requireBlocked(t, blocked)
		work := subscribe(t, slow, "work")
		receive(t, work, "a").Ack()
		require.NoError(t, <-blocked)
		receive(t, work, "b").Ack()
		receive(t, quick, "b").Ack()
	})
}

func TestPublish_NackedMessagesCountAgainstTheCapacity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{Capacity: 1, RedeliveryDelay: func(int) time.Duration { return time.Hour }})
		work := subscribe(t, q, "work")
		publish(t, q, "work", "a")
		receive(t, work, "a").Nack()
		synctest.Wait()
		require.Equal(t, queue.Depth{Delayed: 1}, q.Depth("work", ""))

		blocked := publishing(q, "work", message.NewMessage("b", nil))
		requireBlocked(t, blocked)
		receive(t, work, "a").Ack()
		require.NoError(t, <-blocked)
		receive(t, work, "b").Ack()
	})
}

func TestPublish_IsRefusedAfterClose(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{})
	publish(t, q, "work", "a", "b")
	require.NoError(t, q.Close())
	require.ErrorIs(t, q.Publish("work", message.NewMessage("c", nil)), queue.ErrClosed)
	require.ErrorIs(t, q.Publish("new topic", message.NewMessage("d", nil)), queue.ErrClosed)
	_, err := q.Subscribe(t.Context(), "work")
	require.ErrorIs(t, err, queue.ErrClosed)
	require.NoError(t, q.Close())
}

func TestPublish_KeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{})
	msg := message.NewMessage("a", message.Payload("payload"))
	msg.Metadata.Set("key", "published")
	msg.Metadata.Set(queue.AttemptKey, "7")
	require.True(t, msg.Ack())
	require.NoError(t, q.Publish("work", msg))
	msg.Metadata.Set("key", "changed afterwards")

	got := receive(t, subscribe(t, q, "work"), "a")
	require.Equal(t, message.Metadata{"key": "published"}, got.Metadata)
	require.Equal(t, message.Payload("payload"), got.Payload)
	require.Equal(t, 1, queue.Attempt(got))
	require.True(t, got.Ack())
}

func TestPublish_NeedsATopic(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{})
	require.ErrorContains(t, q.Publish("", message.NewMessage("a", nil)), "topic is empty")
}

func TestNew_ReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := queue.New(queue.Config{Capacity: -1, InFlight: -1, CloseTimeout: -1})
	require.ErrorContains(t, err, "Capacity")
	require.ErrorContains(t, err, "InFlight")
	require.ErrorContains(t, err, "CloseTimeout")
}
