package eventstoredb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// MetadataUUID is the key of an event's metadata that holds the UUID of the message that
// the event was. It is reserved: messages must not have it.
const MetadataUUID = "watermill-uuid"

// DefaultEventType is the type of events made from messages that do not name theirs.
const DefaultEventType = "watermill.message.v1"

// toEvent makes an event of a message: the payload byte for byte, the metadata as a JSON object of
// strings, in which the server understands $correlationId and $causationId.
func toEvent(id uuid.UUID, eventType string, m *message.Message) (domain.NewEvent, error) {
	object := make(map[string]string, len(m.Metadata)+1)
	for key, value := range m.Metadata {
		if key == MetadataUUID && value != m.UUID {
			return domain.NewEvent{}, fmt.Errorf("message %s: the metadata key %s is reserved: use another", m.UUID, MetadataUUID)
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return domain.NewEvent{}, fmt.Errorf("message %s: the metadata %q is not UTF-8 and would not survive: encode it, for example as base64", m.UUID, key)
		}
		object[key] = value
	}
	if !utf8.ValidString(m.UUID) {
		return domain.NewEvent{}, fmt.Errorf("message %q: the UUID is not UTF-8", m.UUID)
	}
	object[MetadataUUID] = m.UUID
	var metadata bytes.Buffer
	encoder := json.NewEncoder(&metadata)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return domain.NewEvent{}, fmt.Errorf("message %s: encode the metadata: %w", m.UUID, err)
	}
	return domain.NewEvent{
		ID: id, Type: eventType, Data: m.Payload, Metadata: bytes.TrimSuffix(metadata.Bytes(), []byte("\n")),
		Binary: !json.Valid(m.Payload),
	}, nil
}

// toMessage makes a message of an event. It also takes events that other clients wrote: the event's
// id becomes the UUID, and metadata values that are not strings are kept as JSON.
func toMessage(e domain.Recorded) *message.Message {
	m := message.NewMessage(e.ID.String(), e.Data)
	var object map[string]json.RawMessage
	if json.Unmarshal(e.Metadata, &object) != nil {
		return m
	}
	for key, raw := range object {
		var value string
		if json.Unmarshal(raw, &value) != nil || bytes.Equal(raw, []byte("null")) {
			value = string(raw)
		}
		if key == MetadataUUID {
			m.UUID = value
			continue
		}
		m.Metadata[key] = value
	}
	return m
}

// streamOfTopic returns the topic's stream. Names that begin with "$" belong to the server: it
// takes what is written there for its settings, users and links.
func streamOfTopic(topic string, name func(string) string) (string, error) {
	stream := name(topic)
	if stream == "" || stream[0] == '$' {
		return "", fmt.Errorf("the stream %q can't hold a topic: choose a name that is not empty and does not begin with $", stream)
	}
	return stream, nil
}
