package queue_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/queue"
)

// requireNone requires that nothing can be received now, in a synctest bubble.
func requireNone(t *testing.T, messages <-chan *message.Message) {
	t.Helper()
	synctest.Wait()
	select {
	case msg, open := <-messages:
		require.Fail(t, "a message came too early, or the subscription ended", "%v, open: %t", msg, open)
	default:
	}
}

func TestDelivery_KeepsTheOrderOfPublishing(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{})
	publish(t, q, "work", numbers(100)...)
	work := subscribe(t, q, "work")
	unsettled := make([]*message.Message, 0, 100)
	for _, uuid := range numbers(100) {
		unsettled = append(unsettled, receive(t, work, uuid))
	}
	for _, msg := range unsettled {
		require.True(t, msg.Ack())
	}
}

func TestDelivery_WhatWasPublishedBeforeAnySubscriberGoesToTheFirstGroup(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{})
	publish(t, q, "work", "early")
	first := subscribe(t, q.Group("first"), "work")
	second := subscribe(t, q.Group("second"), "work")
	publish(t, q, "work", "later")

	receive(t, first, "early").Ack()
	receive(t, first, "later").Ack()
	receive(t, second, "later").Ack()
}

func TestDelivery_EachGroupGetsEverything(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{})
	one, two := subscribe(t, q.Group("one"), "work"), subscribe(t, q.Group("two"), "work")
	publish(t, q, "work", numbers(20)...)
	for _, uuid := range numbers(20) {
		a, b := receive(t, one, uuid), receive(t, two, uuid)
		a.Metadata.Set("changed", "by one group")
		require.Empty(t, b.Metadata)
		require.True(t, a.Ack())
		require.True(t, b.Ack())
	}
}

func TestDelivery_CompetingConsumersShareAGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{})
		one, two := subscribe(t, q.Group("g"), "work"), subscribe(t, q.Group("g"), "work")
		publish(t, q, "work", numbers(10)...)
		seen := map[string]int{}
		for range 5 {
			for _, work := range []<-chan *message.Message{one, two} {
				synctest.Wait()
				msg := <-work
				seen[msg.UUID]++
				require.True(t, msg.Ack())
			}
		}
		require.Len(t, seen, 10, "each message goes to one of the two")
		requireNone(t, one)
		requireNone(t, two)
	})
}

func TestDelivery_AConsumerThatDoesNotReceiveHoldsOneMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{})
		stalled := q.Group("g")
		subscribe(t, stalled, "work")
		publish(t, q, "work", "stalled")
		synctest.Wait()

		work := subscribe(t, q.Group("g"), "work")
		publish(t, q, "work", numbers(50)...)
		for _, uuid := range numbers(50) {
			receive(t, work, uuid).Ack()
		}
		require.NoError(t, stalled.Close())
		msg := receive(t, work, "stalled")
		require.Equal(t, 1, queue.Attempt(msg), "it was never received before")
		require.True(t, msg.Ack())
	})
}

func TestDelivery_AtMostInFlightAreUnsettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{InFlight: 3, InFlightOf: func(topic string) int {
			return map[string]int{"narrow": 1}[topic]
		}})
		for topic, limit := range map[string]int{"work": 3, "narrow": 1} {
			one, two := subscribe(t, q, topic), subscribe(t, q, topic)
			publish(t, q, topic, numbers(10)...)
			var unsettled []*message.Message
			for range 10 - limit + 1 {
				for len(unsettled) < limit {
					select {
					case msg := <-one:
						unsettled = append(unsettled, msg)
					case msg := <-two:
						unsettled = append(unsettled, msg)
					}
				}
				requireNone(t, one)
				requireNone(t, two)
				require.Equal(t, limit, q.Depth(topic, "").InFlight)
				require.True(t, unsettled[0].Ack())
				unsettled = unsettled[1:]
			}
			for _, msg := range unsettled {
				require.True(t, msg.Ack())
			}
		}
	})
}

func TestNack_RedeliversLaterWithoutHoldingUpOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{InFlight: 1, RedeliveryDelay: func(attempt int) time.Duration {
			return time.Duration(attempt) * time.Minute
		}})
		work := subscribe(t, q, "work")
		publish(t, q, "work", "bad", "good")

		start := time.Now()
		bad := receive(t, work, "bad")
		require.Equal(t, 1, queue.Attempt(bad))
		bad.Metadata.Set("left", "by a failed attempt")
		require.True(t, bad.Nack())
		receive(t, work, "good").Ack()
		require.Zero(t, time.Since(start), "the good one does not wait for the bad one")

		bad = receive(t, work, "bad")
		require.Equal(t, time.Minute, time.Since(start))
		require.Equal(t, message.Metadata{queue.AttemptKey: "2"}, bad.Metadata)
		require.True(t, bad.Nack())

		bad = receive(t, work, "bad")
		require.Equal(t, 3*time.Minute, time.Since(start))
		require.Equal(t, 3, queue.Attempt(bad))
		require.True(t, bad.Ack())
		synctest.Wait()
		require.Zero(t, q.Depth("work", ""))
	})
}

func TestNack_WithoutDelayGoesBehindWhatWaits(t *testing.T) {
	t.Parallel()
	q := newQueue(t, queue.Config{InFlight: 1, RedeliveryDelay: func(int) time.Duration { return 0 }})
	publish(t, q, "work", "a", "b")
	work := subscribe(t, q, "work")
	receive(t, work, "a").Nack()
	receive(t, work, "b").Ack()
	receive(t, work, "a").Ack()
}

func TestDefaultRedeliveryDelay_DoublesUpToItsCap(t *testing.T) {
	t.Parallel()
	require.Equal(t, 50*time.Millisecond, queue.DefaultRedeliveryDelay(1))
	require.Equal(t, 100*time.Millisecond, queue.DefaultRedeliveryDelay(2))
	require.Equal(t, 6400*time.Millisecond, queue.DefaultRedeliveryDelay(8))
	require.Equal(t, 10*time.Second, queue.DefaultRedeliveryDelay(9))
	require.Equal(t, 10*time.Second, queue.DefaultRedeliveryDelay(1_000_000))
}

type ctxKey string

func TestDelivery_ContextCarriesValuesAndEndsWhenSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{})
		subCtx := context.WithValue(t.Context(), ctxKey("subscriber"), "s")
		subCtx, end := context.WithCancel(context.WithValue(subCtx, ctxKey("both"), "s"))
		work, err := q.Subscribe(subCtx, "work")
		require.NoError(t, err)

		pubCtx := context.WithValue(t.Context(), ctxKey("publisher"), "p")
		pubCtx, cancel := context.WithCancel(context.WithValue(pubCtx, ctxKey("both"), "p"))
		require.NoError(t, q.Publish("work",
			message.NewMessageWithContext(pubCtx, "a", nil), message.NewMessageWithContext(pubCtx, "b", nil)))
		cancel()

		a, b := receive(t, work, "a"), receive(t, work, "b")
		require.Equal(t, "p", a.Context().Value(ctxKey("publisher")))
		require.Equal(t, "s", a.Context().Value(ctxKey("subscriber")))
		require.Equal(t, "p", a.Context().Value(ctxKey("both")))
		require.NoError(t, a.Context().Err(), "the end of the publisher's context is not the message's")

		require.True(t, a.Ack())
		<-a.Context().Done()
		require.NoError(t, b.Context().Err())

		end() // the subscription's context
		<-b.Context().Done()
		_, open := <-work
		require.False(t, open)
		require.True(t, b.Ack(), "what was received can still be settled")
	})
}
