package queue

import (
	"context"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"
)

// AttemptKey is the metadata key under which a redelivered message carries the number
// of its delivery. A first delivery does not have it, and Publish drops it: a message
// that a handler passes on starts at 1 again.
const AttemptKey = "atone_delivery_attempt"

// Attempt returns the number of this delivery of msg: 1 for the first, one more after
// each Nack and each time that it was taken back from a subscription that ended.
func Attempt(msg *message.Message) int {
	n, err := strconv.Atoi(msg.Metadata.Get(AttemptKey))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// snapshot is a message as it was published. It is never changed, so that the groups
// of a topic share it and each delivery can be built afresh from it: a handler may
// change its message, and so may the publisher after Publish. The payload's bytes are
// not copied; as everywhere in Watermill, nobody may write to them.
type snapshot struct {
	uuid     string
	payload  message.Payload
	metadata []pair
	values   context.Context // nil when the publisher set no context
}

type pair struct{ key, value string }

// queued is a snapshot in the queue of one group.
type queued struct {
	*snapshot
	delivered int // how often it has been handed out
}

func newSnapshot(msg *message.Message) *snapshot {
	s := &snapshot{uuid: msg.UUID, payload: msg.Payload}
	if len(msg.Metadata) > 0 {
		s.metadata = make([]pair, 0, len(msg.Metadata))
		for k, v := range msg.Metadata {
			if k != AttemptKey {
				s.metadata = append(s.metadata, pair{k, v})
			}
		}
	}
	if ctx := msg.Context(); ctx != context.Background() {
		// Without its cancellation, and also so that contexts derived from the
		// delivery find the subscription's canceller and not the publisher's.
		s.values = context.WithoutCancel(ctx)
	}
	return s
}

// delivery builds the message for the next delivery of q. The caller must call the
// returned function when the message is settled.
func (q queued) delivery(ctx context.Context) (*message.Message, context.CancelFunc) {
	msg := message.NewMessage(q.uuid, q.payload)
	for _, p := range q.metadata {
		msg.Metadata[p.key] = p.value
	}
	if q.delivered > 0 {
		msg.Metadata[AttemptKey] = strconv.Itoa(q.delivered + 1)
	}
	if q.values != nil {
		ctx = withValues{Context: ctx, values: q.values}
	}
	ctx, cancel := context.WithCancel(ctx)
	msg.SetContext(ctx)
	return msg, cancel
}

// withValues adds the values of another context; the other's win.
type withValues struct {
	context.Context
	values context.Context
}

func (c withValues) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}
