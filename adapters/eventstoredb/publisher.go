package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// ErrPubSubClosed means that the publisher or subscriber was closed.
var ErrPubSubClosed = errors.New("publisher or subscriber closed")

// DefaultPublishTimeout is the default of [PublisherConfig.Timeout].
const DefaultPublishTimeout = 30 * time.Second

// PublisherConfig sets up a [Publisher]. The zero value is ready for use.
type PublisherConfig struct {
	// Stream names the stream that holds a topic; the name may not begin with "$", which is
	// the server's. Nil means that the topic's name is the stream's.
	Stream func(topic string) string

	// EventType names the type of the event that a message becomes. Nil, or an empty answer,
	// means the message's metadata "name", as Watermill's cqrs component sets it, or else
	// [DefaultEventType].
	EventType func(topic string, m *message.Message) string

	// Deduplicate derives the event's id from topic and message UUID, so that publishing the
	// same message again, after a crash for instance, writes one event for as long as the
	// server remembers it. Leave it false where messages are published again on purpose, by a
	// requeuer or from a poison queue: the server would take them for repeats and drop them.
	// With false every Publish writes an event with an id of its own.
	Deduplicate bool

	// Timeout bounds the publishing of messages whose context has no deadline. Zero means
	// [DefaultPublishTimeout].
	Timeout time.Duration
}

// Validate reports what is wrong with the settings.
func (c PublisherConfig) Validate() error {
	if c.Timeout < 0 {
		return errors.New("the Timeout is negative: give the time a publish may take, or 0 for the default")
	}
	return nil
}

func (c *PublisherConfig) setDefaults() {
	if c.Stream == nil {
		c.Stream = func(topic string) string { return topic }
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultPublishTimeout
	}
}

// Publisher is a Watermill publisher that appends messages to streams. It is safe to use
// concurrently.
type Publisher struct {
	log *Log
	cfg PublisherConfig

	mu     sync.RWMutex // held for reading while a Publish is under way
	closed bool
}

var _ message.Publisher = (*Publisher)(nil)

// NewPublisher returns a publisher that writes through the log, which stays the
// caller's to close.
func NewPublisher(log *Log, cfg PublisherConfig) (*Publisher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("eventstoredb: publisher: %w", err)
	}
	cfg.setDefaults()
	return &Publisher{log: log, cfg: cfg}, nil
}

// Publish appends the messages to the topic's stream and returns when they are durable. Neighbours
// with the same context go in one atomic append, up to [domain.MaxAppendSize]; a larger Publish may
// fail in the middle. Errors: [domain.ErrTooLarge] if one message alone is over the limit (nothing
// is written), the context's error if the context ends first (the outcome is then unknown),
// [ErrPubSubClosed].
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return fmt.Errorf("publish to %s: %w", topic, ErrPubSubClosed)
	}
	stream, err := streamOfTopic(topic, p.cfg.Stream)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	events := make([]domain.NewEvent, 0, len(messages))
	for _, m := range messages {
		e, err := toEvent(p.idOf(topic, m), p.typeOf(topic, m), m)
		if err != nil {
			return fmt.Errorf("publish to %s: %w", topic, err)
		}
		if e.Size() > domain.MaxAppendSize {
			return fmt.Errorf("publish to %s: message %s: %w: %d bytes, at most %d", topic, m.UUID, domain.ErrTooLarge, e.Size(), domain.MaxAppendSize)
		}
		events = append(events, e)
	}
	for first := 0; first < len(events); {
		next := batchEnd(messages, events, first)
		if err := p.write(messages[first].Context(), stream, events[first:next]); err != nil {
			return fmt.Errorf("publish to %s: %w", topic, err)
		}
		first = next
	}
	return nil
}

// batchEnd returns where the batch that begins at first ends: before a message that has another
// context or makes the batch too large.
func batchEnd(messages []*message.Message, events []domain.NewEvent, first int) int {
	size := 0
	for i := first; i < len(events); i++ {
		size += events[i].Size()
		if size > domain.MaxAppendSize || messages[i].Context() != messages[first].Context() {
			return i
		}
	}
	return len(events)
}

func (p *Publisher) write(ctx context.Context, stream string, events []domain.NewEvent) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.Timeout)
		defer cancel()
	}
	// up: publishing is an append
	_, err := p.log.Append(ctx, stream, domain.AnyRevision, events...)
	return err
}

// publisherSpace is the namespace of event ids that are derived from messages.
var publisherSpace = uuid.MustParse("0b4a2a58-6c0f-5d0b-9a35-7f1f3b8e5c11")

func (p *Publisher) idOf(topic string, m *message.Message) uuid.UUID {
	if p.cfg.Deduplicate && m.UUID != "" {
		return uuid.NewSHA1(publisherSpace, []byte(topic+"\x00"+m.UUID))
	}
	return uuid.New()
}

func (p *Publisher) typeOf(topic string, m *message.Message) string {
	if p.cfg.EventType != nil {
		if t := p.cfg.EventType(topic, m); t != "" {
			return t
		}
	}
	if t := m.Metadata.Get("name"); t != "" {
		return t
	}
	return DefaultEventType
}

// Close waits for what is being published and makes later calls fail. It may be called
// more than once and always returns nil.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}
