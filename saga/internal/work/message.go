package work

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/atonehq/atone/saga/internal/payload"
)

// messageSpace is the name space of the ids of messages.
var messageSpace = uuid.MustParse("9d1f0d3b-8f0e-5d0f-9c43-6c8f6c2f9f6e")

// messageID returns the id of a message: an attempt that is sent twice is the same message. It is a
// UUID (version 5, over topic, log, and the attempt's key, number and kind), because brokers'
// adapters keep ids in 36 characters. Topic and log are part of it because a broker may treat a
// known id as a repeat, even from another topic (JetStream does within one stream), and keyed runs
// of two logs can have the same run id.
func messageID(topic, log, key string, attempt int, suffix string) string {
	return uuid.NewSHA1(messageSpace, []byte(topic+"#"+log+"#"+key+"#"+strconv.Itoa(attempt)+suffix)).String()
}

// newMessage wraps a task or report.
func newMessage(ctx context.Context, id string, v any) (*message.Message, error) {
	raw, err := payload.Marshal(v)
	if err != nil {
		return nil, err
	}
	m := message.NewMessage(id, message.Payload(raw))
	m.SetContext(ctx)
	return m, nil
}

// openMessage returns the task or report that a message carries.
func openMessage[T any](m *message.Message) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(m.Payload, v); err != nil {
		return nil, err
	}
	return v, nil
}
