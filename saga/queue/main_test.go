package queue_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/saga/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newQueue returns a queue that is closed, without a complaint, at the end of the test.
func newQueue(t testing.TB, cfg queue.Config) *queue.Queue {
	t.Helper()
	q, err := queue.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

func subscribe(t testing.TB, sub message.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := sub.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	return messages
}

func publish(t testing.TB, pub message.Publisher, topic string, uuids ...string) {
	t.Helper()
	for _, uuid := range uuids {
		require.NoError(t, pub.Publish(topic, message.NewMessage(uuid, nil)))
	}
}

// receive takes the next message and requires that it is the one.
func receive(t testing.TB, messages <-chan *message.Message, uuid string) *message.Message {
	t.Helper()
	msg, open := <-messages
	require.True(t, open, "the subscription ended before %q came", uuid)
	require.Equal(t, uuid, msg.UUID)
	return msg
}

func numbers(n int) []string {
	uuids := make([]string, n)
	for i := range uuids {
		uuids[i] = strconv.Itoa(i)
	}
	return uuids
}
