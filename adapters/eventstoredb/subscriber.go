package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
)

// Defaults of [SubscriberConfig].
const (
	DefaultInFlight     = 10
	DefaultMaxAttempts  = 10
	DefaultNackInitial  = time.Second
	DefaultNackMax      = 30 * time.Second
	DefaultAckTimeout   = time.Minute
	DefaultCloseTimeout = 10 * time.Second
)

// timeoutMargin is how much longer the server waits for an answer than this side does, so that this
// side decides first.
const timeoutMargin = 10 * time.Second

// SubscriberConfig sets up a [Subscriber].
type SubscriberConfig struct {
	// Group names the consumer group: each message goes to one of the group's subscribers,
	// and each group gets all messages. Required.
	Group string

	// Stream names the stream that holds a topic, as in [PublisherConfig]. Nil means that the
	// topic's name is the stream's. [AllStreams], the only name that may begin with "$", subscribes
	// to all streams.
	Stream func(topic string) string

	// Filter selects events where the stream is [AllStreams]; elsewhere it is not used. It
	// counts when the group is created.
	Filter domain.Filter

	// FromEnd lets a group that is created now begin with what comes next. False begins with
	// the stream's first event.
	FromEnd bool

	// InFlight is how many messages each Subscribe holds unanswered at once, those that wait
	// out a delay after a Nack included. One keeps the order as long as there is one
	// subscriber. Zero means [DefaultInFlight].
	InFlight int

	// MaxAttempts is how often a message is delivered before it is parked. A delivery counts
	// when the server made it, even if the process stopped before it handed the message over.
	// Zero means [DefaultMaxAttempts].
	MaxAttempts int

	// NackInitial and NackMax are the delays after the first Nack of a message and the longest
	// one; they double from Nack to Nack. Zero means [DefaultNackInitial] and [DefaultNackMax].
	NackInitial, NackMax time.Duration

	// AckTimeout is how long a handler may take. After it the message's context ends and the
	// message counts as nacked. Zero means [DefaultAckTimeout].
	AckTimeout time.Duration

	// CloseTimeout is how long Close, or the end of the context of Subscribe, waits for
	// messages that are being handled. Zero means [DefaultCloseTimeout].
	CloseTimeout time.Duration

	// Strategy divides the messages among the group's subscribers when the group is created.
	// Empty means [RoundRobin].
	Strategy Strategy
}

// Validate reports everything that is wrong with the settings, joined.
func (c SubscriberConfig) Validate() error {
	c.setDefaults()
	var errs []error
	if c.Group == "" {
		errs = append(errs, errors.New("Group is empty: name the consumer group"))
	}
	if c.InFlight < 0 || c.MaxAttempts < 0 {
		errs = append(errs, errors.New("InFlight and MaxAttempts must be positive, or 0 for the default"))
	}
	if c.NackInitial < 0 || c.NackMax < c.NackInitial {
		errs = append(errs, errors.New("NackInitial must be positive and NackMax at least as long"))
	}
	if c.AckTimeout < 0 || c.CloseTimeout < 0 {
		errs = append(errs, errors.New("AckTimeout and CloseTimeout must be positive, or 0 for the default"))
	}
	switch c.Strategy {
	case RoundRobin, DispatchToSingle, Pinned, PinnedByCorrelation:
	default:
		errs = append(errs, fmt.Errorf("strategy %q is unknown: use one of the package's constants", c.Strategy))
	}
	return errors.Join(errs...)
}

func (c *SubscriberConfig) setDefaults() {
	if c.Stream == nil {
		c.Stream = func(topic string) string { return topic }
	}
	setIfZero(&c.InFlight, DefaultInFlight)
	setIfZero(&c.MaxAttempts, DefaultMaxAttempts)
	setIfZero(&c.NackInitial, DefaultNackInitial)
	setIfZero(&c.NackMax, max(DefaultNackMax, c.NackInitial))
	setIfZero(&c.AckTimeout, DefaultAckTimeout)
	setIfZero(&c.CloseTimeout, DefaultCloseTimeout)
	setIfZero(&c.Strategy, RoundRobin)
}

// settings returns the group's settings on the server. Its message timeout covers the longest
// handler plus the longest delay after a Nack, because the message is in flight for both.
func (c SubscriberConfig) settings() GroupSettings {
	return GroupSettings{FromEnd: c.FromEnd, MaxRetries: c.MaxAttempts - 1, Strategy: c.Strategy, Filter: c.Filter,
		MessageTimeout: c.AckTimeout + c.NackMax + timeoutMargin}
}

// Subscriber is a Watermill subscriber over persistent subscriptions. Delivery is at
// least once and, with more than one message in flight, in no particular order.
//
// A nacked message is delivered again after a delay, to any of the group's subscribers,
// and parked after [SubscriberConfig.MaxAttempts]: it then stays in the group's parked stream
// until [Log.ReplayParked]. [DeliveryOf] tells a handler the attempt.
//
// The server passes over an event whose id is that of one that the group has in flight
// already. Streams written by [Publisher] have no such events; on [AllStreams], events that
// other clients wrote with one id to several streams may be lost that way.
type Subscriber struct {
	log *Log
	cfg SubscriberConfig

	life context.Context // ends when Close is called
	end  context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // subscriptions; added to under mu
}

var (
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// NewSubscriber returns a subscriber that reads through the log, which stays the caller's
// to close, after the subscriber.
func NewSubscriber(log *Log, cfg SubscriberConfig) (*Subscriber, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("eventstoredb: subscriber: %w", err)
	}
	cfg.setDefaults()
	s := &Subscriber{log: log, cfg: cfg}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// SubscribeInitialize creates the group on the topic's stream, if it does not exist, so
// that it gets what is published from now on even where FromEnd is set. It gives up after
// [DefaultPublishTimeout] or with Close.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	ctx, cancel := context.WithTimeout(s.life, DefaultPublishTimeout)
	defer cancel()
	_, err := s.prepare(ctx, topic)
	return err
}

// streamOf returns the topic's stream.
func (s *Subscriber) streamOf(topic string) (string, error) {
	if s.cfg.Stream(topic) == AllStreams {
		return AllStreams, nil
	}
	return streamOfTopic(topic, s.cfg.Stream)
}

// prepare creates the group or learns how an existing one is set.
func (s *Subscriber) prepare(ctx context.Context, topic string) (GroupSettings, error) {
	stream, err := s.streamOf(topic)
	if err != nil {
		return GroupSettings{}, err
	}
	settings := s.cfg.settings()
	created := s.log.CreateGroup(ctx, stream, s.cfg.Group, settings)
	// A user who may not manage groups can still be a subscriber of one that exists.
	if !errors.Is(created, ErrGroupExists) && !errors.Is(created, domain.ErrAccessDenied) {
		return settings, created
	}
	info, err := s.log.Group(ctx, stream, s.cfg.Group)
	if errors.Is(created, domain.ErrAccessDenied) && err != nil {
		return settings, created
	}
	if err != nil {
		return settings, err
	}
	if info.Settings.MessageTimeout != settings.MessageTimeout || info.Settings.MaxRetries != settings.MaxRetries {
		s.log.cfg.Logger.Warn("eventstoredb: the consumer group has other settings than this subscriber asks for, and keeps them; change them with UpdateGroup",
			"stream", stream, "group", s.cfg.Group, "message_timeout", info.Settings.MessageTimeout, "max_retries", info.Settings.MaxRetries)
	}
	return info.Settings, nil
}

// Subscribe creates the group if it does not exist and returns the channel of its messages. A user
// who may not create groups subscribes to one that somebody else created, or gets
// [domain.ErrAccessDenied]. Subscribe waits up to [DefaultPublishTimeout] for a server that is
// down; once it has returned, the subscription is made again for ever after a drop. The channel is
// closed when ctx ends or the subscriber is closed.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, fmt.Errorf("subscribe to %s: %w", topic, ErrPubSubClosed)
	}
	s.running.Add(1)
	s.mu.Unlock()
	settings, err := s.prepareFor(ctx, topic)
	if err != nil {
		s.running.Done()
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	sub := newGroupSubscription(ctx, s, s.cfg.Stream(topic), settings)
	go func() {
		defer s.running.Done()
		sub.run()
	}()
	return sub.out, nil
}

// prepareFor is prepare bounded by the caller, the subscriber's life and a time.
func (s *Subscriber) prepareFor(ctx context.Context, topic string) (GroupSettings, error) {
	ctx, cancel := context.WithTimeout(ctx, DefaultPublishTimeout)
	defer cancel()
	stop := context.AfterFunc(s.life, cancel)
	defer stop()
	return s.prepare(ctx, topic)
}

// Close closes the channels, waits up to [SubscriberConfig.CloseTimeout] for the messages
// that are being handled, and passes their answers on. What is not answered by then is
// delivered again, to this group. It may be called more than once and always returns nil.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.running.Wait()
	return nil
}
