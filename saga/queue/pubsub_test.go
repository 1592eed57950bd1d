package queue_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/atonehq/atone/saga/queue"
)

// Watermill's suite closes its publishers and subscribers and goes on with new ones on
// the same broker. Here the broker is one Queue, and the handles on it are what the
// suite makes and closes; in that sense, and only in that one, messages persist.
var features = tests.Features{
	ConsumerGroups:      true,
	ExactlyOnceDelivery: false, // what an ended subscription did not settle comes again
	Persistent:          true,
}

// suiteConfig has room for the 10,000 messages that the suite publishes before it
// subscribes, and does not wait long for those that it never settles.
var suiteConfig = queue.Config{
	Capacity:        16384,
	CloseTimeout:    100 * time.Millisecond,
	RedeliveryDelay: func(int) time.Duration { return time.Millisecond },
}

func TestWatermillSuite(t *testing.T) {
	t.Parallel()
	cfg := suiteConfig
	cfg.RedeliveryDelay = nil // the default
	runSuite(t, features, cfg)
}

func TestWatermillSuite_ContextsArePreserved(t *testing.T) {
	t.Parallel()
	f := features
	f.ContextPreserved = true
	runSuite(t, f, suiteConfig)
}

func TestWatermillSuite_OrderIsKeptWithOneInFlight(t *testing.T) {
	t.Parallel()
	f, cfg := features, suiteConfig
	f.GuaranteedOrder = true
	cfg.InFlight = 1
	runSuite(t, f, cfg)
}

// TestWatermillSuite_UnderStress runs the suite several times at once on one queue.
// STRESS_TEST_COUNT raises the number.
func TestWatermillSuite_UnderStress(t *testing.T) {
	t.Parallel()
	q := newQueue(t, suiteConfig)
	tests.TestPubSubStressTest(t, features, constructor(q), groupConstructor(q))
}

func runSuite(t *testing.T, f tests.Features, cfg queue.Config) {
	q := newQueue(t, cfg)
	tests.TestPubSub(t, f, constructor(q), groupConstructor(q))
}

func constructor(q *queue.Queue) tests.PubSubConstructor {
	return func(*testing.T) (message.Publisher, message.Subscriber) {
		return q.Publisher(), q.Group("")
	}
}

func groupConstructor(q *queue.Queue) tests.ConsumerGroupPubSubConstructor {
	return func(_ *testing.T, group string) (message.Publisher, message.Subscriber) {
		return q.Publisher(), q.Group(group)
	}
}
