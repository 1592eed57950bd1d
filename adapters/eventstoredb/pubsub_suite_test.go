package eventstoredb

import (
	"flag"
	"net"
	"os"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"
)

// suiteOn runs Watermill's suite for Pub/Subs over the log. The suite nacks more often
// than a message may be attempted by default, and leaves messages unanswered.
func suiteOn(t *testing.T, log *Log, features tests.Features, change func(*SubscriberConfig)) {
	t.Helper()
	grouped := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		pub, err := NewPublisher(log, PublisherConfig{})
		require.NoError(t, err)
		cfg := SubscriberConfig{Group: group, MaxAttempts: 1000, NackInitial: 10 * time.Millisecond, NackMax: 100 * time.Millisecond, CloseTimeout: time.Second}
		change(&cfg)
		sub, err := NewSubscriber(log, cfg)
		require.NoError(t, err)
		return pub, sub
	}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) {
		return grouped(t, "test")
	}, grouped)
}

// TestPubSubSuiteOverRestarts includes the suite's test of reconnecting, which restarts
// the server by a command: this very program, telling the test's server to restart.
func TestPubSubSuiteOverRestarts(t *testing.T) {
	f := newFakeServer(t)
	control, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { control.Close() })
	go func() {
		for {
			c, err := control.Accept()
			if err != nil {
				return
			}
			f.stop()
			f.start()
			c.Close()
		}
	}()
	suiteOn(t, open(t, f.connection()), tests.Features{
		ConsumerGroups: true, Persistent: true,
		RestartServiceCommand: []string{os.Args[0], "-test.run=^TestRestartCommand$", control.Addr().String()},
	}, func(*SubscriberConfig) {})
}

// TestRestartCommand is the command of TestPubSubSuiteOverRestarts; by itself it has
// nothing to do.
func TestRestartCommand(t *testing.T) {
	if flag.NArg() == 0 {
		return
	}
	c, err := net.Dial("tcp", flag.Arg(0))
	require.NoError(t, err)
	_, _ = c.Read(make([]byte, 1)) // until it is done
	require.NoError(t, c.Close())
}

// One message in flight keeps the order, over Nacks too.
func TestPubSubSuiteInOrder(t *testing.T) {
	t.Parallel()
	suiteOn(t, open(t, newFakeServer(t).connection()), tests.Features{
		ConsumerGroups: true, Persistent: true, GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
	}, func(c *SubscriberConfig) {
		c.InFlight, c.NackInitial, c.NackMax = 1, time.Millisecond, time.Millisecond
	})
}
