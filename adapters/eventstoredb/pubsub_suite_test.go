package eventstoredb_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/eventstoredb"
)

// suite runs Watermill's suite for Pub/Subs. The suite nacks more often than a message
// may be attempted by default, and leaves messages unanswered.
func suite(t *testing.T, s *testServer, features tests.Features, cfg eventstoredb.SubscriberConfig) {
	t.Helper()
	log := openLog(t, s.connection)
	cfg.MaxAttempts, cfg.CloseTimeout = 1000, time.Second
	grouped := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		pub, err := eventstoredb.NewPublisher(log, eventstoredb.PublisherConfig{})
		require.NoError(t, err)
		cfg := cfg
		cfg.Group = group
		sub, err := eventstoredb.NewSubscriber(log, cfg)
		require.NoError(t, err)
		return pub, sub
	}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) {
		return grouped(t, "test")
	}, grouped)
}

// Of the features, ExactlyOnceDelivery and GuaranteedOrder are not there to be had from a
// persistent subscription with several messages in flight, a new subscriber of a group gets
// no old messages, and a message's context does not travel. RestartServiceCommand is not
// given, as that test compares with a list that other goroutines still write:
// TestPubSubLosesNothingOverRestarts does the same with its accounts in order.
func TestPubSubKeepsWatermillsContract(t *testing.T) {
	t.Parallel()
	suite(t, server(t), tests.Features{ConsumerGroups: true, Persistent: true},
		eventstoredb.SubscriberConfig{NackInitial: 10 * time.Millisecond, NackMax: 100 * time.Millisecond})
}

// One message in flight keeps the order, over Nacks too.
func TestPubSubWithOneInFlightKeepsTheOrder(t *testing.T) {
	t.Parallel()
	suite(t, server(t), tests.Features{
		ConsumerGroups: true, Persistent: true, GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
	}, eventstoredb.SubscriberConfig{InFlight: 1, NackInitial: time.Millisecond, NackMax: time.Millisecond})
}

func TestPubSubLosesNothingOverRestarts(t *testing.T) {
	t.Parallel()
	s := server(t)
	if s.log == nil {
		return // a real server is not ours to restart
	}
	const publishers, each, restarts = 20, 100, 3
	log := openLog(t, s.connection)
	pub, err := eventstoredb.NewPublisher(log, eventstoredb.PublisherConfig{})
	require.NoError(t, err)
	sub, err := eventstoredb.NewSubscriber(log, eventstoredb.SubscriberConfig{Group: "g", MaxAttempts: 1000})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	messages, err := sub.Subscribe(ctx, "restarts")
	require.NoError(t, err)

	var published sync.WaitGroup
	errs := make(chan error, publishers*each)
	for p := range publishers {
		published.Go(func() {
			for i := range each {
				errs <- pub.Publish("restarts", message.NewMessage(fmt.Sprintf("%d-%d", p, i), nil))
			}
		})
	}
	missing := map[string]bool{}
	for p := range publishers {
		for i := range each {
			missing[fmt.Sprintf("%d-%d", p, i)] = true
		}
	}
	for received := 1; len(missing) > 0; received++ {
		select {
		case m := <-messages:
			delete(missing, m.UUID)
			m.Ack()
		case <-ctx.Done():
			require.Failf(t, "messages are missing", "%d of %d", len(missing), publishers*each)
		}
		if received%(publishers*each/(restarts+1)) == 0 && received < publishers*each {
			s.stop()
			s.start()
		}
	}
	published.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err, "a publish waits for the server to come back")
	}
	require.NoError(t, sub.Close())
}

func TestAnswersGivenBeforeCloseArrive(t *testing.T) {
	t.Parallel()
	log := openLog(t, server(t).connection)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	pub, err := eventstoredb.NewPublisher(log, eventstoredb.PublisherConfig{})
	require.NoError(t, err)
	topic := "closing-" + uuid.NewString()
	for i := range 20 {
		for range 5 {
			require.NoError(t, pub.Publish(topic, message.NewMessage(uuid.NewString(), nil)))
		}
		// Each subscriber answers five and closes at once; none may see another's again.
		sub, err := eventstoredb.NewSubscriber(log, eventstoredb.SubscriberConfig{Group: "g"})
		require.NoError(t, err)
		messages, err := sub.Subscribe(ctx, topic)
		require.NoError(t, err)
		for range 5 {
			select {
			case m := <-messages:
				d, _ := eventstoredb.DeliveryOf(m.Context())
				require.GreaterOrEqual(t, d.Event.Revision, uint64(i*5))
				m.Ack()
			case <-ctx.Done():
				require.FailNow(t, "a message is missing")
			}
		}
		require.NoError(t, sub.Close())
	}
}
