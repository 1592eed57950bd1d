package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/atonehq/atone/domain"
)

// groupConnection is a subscription while it is connected.
type groupConnection struct {
	*groupSubscription
	at *nodes.Link

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	call   persistent.PersistentSubscriptions_ReadClient
	id     []byte

	queue    chan pushed   // received and not handed over; closed by receive
	received chan struct{} // closed when receive ended; err may be read then
	err      error

	sending sync.Mutex // a call's Send is for one at a time
}

// pushed is an event that the server handed to this subscription.
type pushed struct {
	event   domain.Recorded
	id      *shared.UUID // what to answer by: the link's id where there is a link
	retries int
	at      time.Time
}

func newGroupConnection(g *groupSubscription, at *nodes.Link) *groupConnection {
	c := &groupConnection{groupSubscription: g, at: at,
		queue: make(chan pushed, g.sub.cfg.InFlight), received: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// open subscribes and waits for the server's confirmation, as long as an attempt may take.
func (c *groupConnection) open(s *nodes.Session) error {
	defer context.AfterFunc(c.stop, c.cancel)()
	defer time.AfterFunc(c.sub.log.cfg.AttemptTimeout, c.cancel).Stop()
	call, err := persistent.NewPersistentSubscriptionsClient(s.Conn).Read(c.at.Outgoing(c.ctx, true))
	if err != nil {
		return nodes.Translate(err, nil)
	}
	options := &persistent.ReadReq_Options{
		GroupName: c.sub.cfg.Group, BufferSize: int32(c.sub.cfg.InFlight),
		StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: identifier(c.stream)},
		UuidOption: &persistent.ReadReq_Options_UUIDOption{
			Content: &persistent.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
	}
	if c.stream == AllStreams {
		options.StreamOption = &persistent.ReadReq_Options_All{All: &shared.Empty{}}
	}
	if call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: options}}) != nil {
		// If the server answered, Recv returns the answer; there is nothing else to wait for.
		defer time.AfterFunc(earlyAnswer, c.cancel).Stop()
	}
	answer, err := call.Recv()
	if err != nil {
		return nodes.Translate(err, call.Trailer())
	}
	confirmation := answer.GetSubscriptionConfirmation()
	if confirmation == nil {
		return errors.New("the server's first message is not a confirmation")
	}
	c.call, c.id = call, []byte(confirmation.GetSubscriptionId())
	go c.receive()
	return nil
}

// receive takes events from the wire, so that their age is known, until the call ends.
func (c *groupConnection) receive() {
	defer close(c.received)
	defer close(c.queue)
	for {
		m, err := c.call.Recv()
		if err != nil {
			c.err = nodes.Translate(err, c.call.Trailer())
			return
		}
		sent := m.GetEvent()
		p := pushed{id: sent.GetEvent().GetId(), retries: int(sent.GetRetryCount()), at: time.Now()}
		if sent.GetLink() != nil {
			p.id = sent.GetLink().GetId()
		}
		if sent.GetEvent() == nil {
			c.answer(ack(p.id)) // a link to an event that was deleted: there is nothing to handle
			continue
		}
		p.event = wire.Decode(sent.GetEvent())
		select {
		case c.queue <- p:
		case <-c.stop.Done(): // the server gives it to others when we are gone
		}
	}
}

// serve hands messages over until the connection is lost, with its error, or no more
// are wanted (nil).
func (c *groupConnection) serve() error {
	for {
		select {
		case <-c.stop.Done():
			return nil
		case p, ok := <-c.queue:
			if !ok {
				<-c.received
				if c.stop.Err() != nil {
					return nil //nolint:nilerr // no more are wanted
				}
				return fmt.Errorf("receive: %w", c.err)
			}
			c.handOver(p)
		}
	}
}

// handOver gives the message to the consumer, unless it waited so long that the server delivers it
// again.
func (c *groupConnection) handOver(p pushed) {
	select {
	case <-c.received:
		return // lost already: it comes again
	default:
	}
	ctx, cancel := context.WithCancel(context.WithValue(c.messages, deliveryKey{}, Delivery{
		Event: p.event, Group: c.sub.cfg.Group, Attempt: p.retries + 1, MaxAttempts: c.settings.MaxRetries + 1,
	}))
	m := toMessage(p.event)
	m.SetContext(ctx)
	expired := time.NewTimer(c.left(p))
	defer expired.Stop()
	select {
	case c.out <- m:
		c.answers.Go(func() {
			defer cancel()
			c.await(m, p, cancel)
		})
		return
	case <-expired.C:
	case <-c.stop.Done():
	case <-c.received:
		// Lost while nobody took the message: it comes again.
	}
	cancel()
}

// left is how long the server still waits for an answer to the event.
func (c *groupConnection) left(p pushed) time.Duration {
	if c.settings.MessageTimeout == 0 {
		return 1 << 62
	}
	return c.settings.MessageTimeout - time.Since(p.at)
}

// await passes the handler's answer on.
func (c *groupConnection) await(m *message.Message, p pushed, expire context.CancelFunc) {
	timeout := time.NewTimer(c.sub.cfg.AckTimeout)
	defer timeout.Stop()
	select {
	case <-m.Acked():
		c.answer(ack(p.id))
	case <-m.Nacked():
		expire()
		c.nack(p, "the handler refused the message")
	case <-timeout.C:
		expire()
		c.nack(p, fmt.Sprintf("the handler did not answer within %v", c.sub.cfg.AckTimeout))
	case <-c.abandoned.Done():
		// The connection ends now, and the server gives the message to others.
	}
}

// nack parks the message after its last attempt; before, it waits for the delay and has the message
// delivered again. Servers have no delay of their own.
func (c *groupConnection) nack(p pushed, reason string) {
	if p.retries >= c.settings.MaxRetries {
		c.answer(nack(p.id, persistent.ReadReq_Nack_Park, fmt.Sprintf("%s, attempt %d of %d", reason, p.retries+1, c.settings.MaxRetries+1)))
		return
	}
	// A margin keeps the server from deciding first.
	delay := time.NewTimer(min(c.sub.cfg.nackDelay(p.retries+1), c.left(p)-time.Second))
	defer delay.Stop()
	select {
	case <-delay.C:
		c.answer(nack(p.id, persistent.ReadReq_Nack_Retry, reason))
	case <-c.stop.Done():
	case <-c.received:
	}
}

// answer sends an ack or a nack. If it can't be sent, nothing is lost: the server delivers the
// message again when it sees the connection end.
func (c *groupConnection) answer(a *persistent.ReadReq) {
	switch content := a.GetContent().(type) {
	case *persistent.ReadReq_Ack_:
		content.Ack.Id = c.id
	case *persistent.ReadReq_Nack_:
		content.Nack.Id = c.id
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if err := c.call.Send(a); err != nil {
		c.sub.log.cfg.Logger.Debug("eventstoredb: an answer was lost with its connection", "stream", c.stream, "group", c.sub.cfg.Group, "error", err)
	}
}

// flush waits until the server has the last answers, because cancelling the call drops what is
// still on its way. Servers need not end a call when its client has finished, so flush makes
// another call on the connection: frames arrive in order, so its answer proves that the ones before
// have arrived. If the server is slower than flushGrace, it delivers those messages again.
func (c *groupConnection) flush(s *nodes.Session) {
	c.sending.Lock()
	_ = c.call.CloseSend()
	c.sending.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	_, _ = serverfeatures.NewServerFeaturesClient(s.Conn).GetSupportedMethods(ctx, &shared.Empty{})
	grace := time.NewTimer(flushGrace)
	defer grace.Stop()
	select {
	case <-c.received:
	case <-grace.C:
		c.cancel()
		<-c.received
	}
}

func ack(id *shared.UUID) *persistent.ReadReq {
	return &persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: []*shared.UUID{id}}}}
}

func nack(id *shared.UUID, action persistent.ReadReq_Nack_Action, reason string) *persistent.ReadReq {
	return &persistent.ReadReq{Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{Ids: []*shared.UUID{id}, Action: action, Reason: reason}}}
}

// Delivery tells a handler about the event behind a message and the attempt.
type Delivery struct {
	// Event is the event as the log keeps it.
	Event domain.Recorded
	// Group is the consumer group.
	Group string
	// Attempt counts the deliveries of the event to this group, from 1; a Nack at MaxAttempts
	// parks it.
	Attempt, MaxAttempts int
}

type deliveryKey struct{}

// DeliveryOf returns what is known of a message that a [Subscriber] delivered, by the
// message's context; false for any other context.
func DeliveryOf(ctx context.Context) (Delivery, bool) {
	d, ok := ctx.Value(deliveryKey{}).(Delivery)
	return d, ok
}

// nackDelay is how long the message waits after its attempt (1, 2, 3 …) was nacked.
func (c SubscriberConfig) nackDelay(attempt int) time.Duration {
	d := c.NackInitial
	for i := 1; i < attempt && d < c.NackMax; i++ {
		d *= 2
	}
	return min(d, c.NackMax)
}
