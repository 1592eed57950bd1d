package eventstoredb

import (
	"context"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"

	"github.com/ThreeDotsLabs/watermill/message"
)

// How long a subscription that ends waits for the server to confirm that its last answers arrived,
// and then to act on them.
const (
	flushTimeout = 500 * time.Millisecond
	flushGrace   = 20 * time.Millisecond
)

// groupSubscription is one Subscribe; it outlives its connections.
type groupSubscription struct {
	sub      *Subscriber
	stream   string
	settings GroupSettings

	out      chan *message.Message
	closeOut sync.Once

	// messages is the parent of the messages' contexts: the caller's, until the end.
	messages context.Context
	// stop ends when no more messages are to be handed over.
	stop context.Context
	// abandoned ends when answers are not waited for any more.
	abandoned context.Context
	abandon   context.CancelFunc
	// answers counts the messages that were handed over and are not answered, of the present
	// connection and of lost ones.
	answers sync.WaitGroup
}

func newGroupSubscription(ctx context.Context, s *Subscriber, stream string, settings GroupSettings) *groupSubscription {
	g := &groupSubscription{sub: s, stream: stream, settings: settings, out: make(chan *message.Message), messages: ctx}
	g.abandoned, g.abandon = context.WithCancel(context.Background())
	return g
}

// run keeps the subscription until the caller's context, the subscriber or the log ends.
// It returns when all of the subscription's goroutines have ended.
func (g *groupSubscription) run() {
	var finish context.CancelFunc
	g.messages, finish = context.WithCancel(g.messages)
	defer finish()
	stop, cancel := g.sub.log.bind(g.messages)
	defer cancel()
	defer context.AfterFunc(g.sub.life, cancel)()
	g.stop = stop

	at := g.sub.log.newLink()
	defer at.Close()
	p := g.sub.log.cfg.newPause()
	for g.stop.Err() == nil {
		err := nodes.Attempt(g.stop, at, func(_ context.Context, s *nodes.Session) error {
			c := newGroupConnection(g, at)
			defer c.cancel()
			if err := c.open(s); err != nil {
				return err
			}
			p.reset()
			if err := c.serve(); err != nil {
				return err
			}
			g.settle(finish)
			c.flush(s)
			return nil
		})
		if g.stop.Err() == nil {
			g.sub.log.cfg.Logger.Warn("eventstoredb: a consumer group's subscription dropped and is made again",
				"stream", g.stream, "group", g.sub.cfg.Group, "reason", err)
			p.wait(g.stop)
		}
	}
	g.settle(finish)
}

// settle waits for the answers to the messages that were handed over, at most CloseTimeout. It runs
// while a connection is still there, so that the answers can be sent, and in any case at the end.
func (g *groupSubscription) settle(finish context.CancelFunc) {
	g.closeOut.Do(func() { close(g.out) })
	expire := time.AfterFunc(g.sub.cfg.CloseTimeout, func() {
		g.abandon()
		finish() // tells the handlers
	})
	g.answers.Wait()
	expire.Stop()
	g.abandon()
}
