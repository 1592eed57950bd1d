package groups

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
)

// Errors that end a consumer's connection to a group, or prevent it.
var (
	// ErrMaxSubscribers means that the group has as many consumers as it may have.
	ErrMaxSubscribers = errors.New("maximum subscribers reached")
	// ErrDropped means that the group was updated or deleted, or has stopped: connect again.
	ErrDropped = errors.New("the group dropped its consumers")
	// ErrFaulted means that the group's source cannot be read any more.
	ErrFaulted = errors.New("the group's source is gone")
)

// bufferBytes bounds the size of the events that a group holds ready.
const bufferBytes = 32 << 20

// Group is one persistent subscription at work. Its methods are safe to call concurrently.
type Group struct {
	settings Settings
	db       *streamdb.DB
	now      func() time.Time
	logger   *slog.Logger
	filter   *streamdb.Filter
	// life ends with the group; stop ends it.
	life context.Context
	stop context.CancelFunc
	done chan struct{} // closed when run has returned

	mu       sync.Mutex
	strategy strategy
	clients  []*Client
	// A message is in ready until it was given out, then in outstanding until it is settled;
	// in between it may be in retry, or be on its way to the parked stream.
	ready, retry []*message
	readyBytes   int
	outstanding  map[uuid.UUID]*message
	pending      byOrder
	room         chan struct{} // has one element when ready may have got shorter

	known      int64 // the place up to which everything was given out
	knownOrder int64
	lastRead   int64
	lastTaken  int64 // the place of the last event that was for the group, or where it began
	checkpoint checkpointState
	replays    replayState
	// parkQueue are the messages whose links are not durable yet; while parkRunning, a
	// goroutine sees to them.
	parkQueue   []parking
	parkRunning bool
	stats       groupStats
	live        bool
	dropped     error // why consumers cannot connect any more
	deleted     bool
	closed      bool

	work sync.WaitGroup // the goroutines that park and write
}

// background runs f beside the group, which waits for it when it stops. A group that has
// stopped does nothing more. The group is locked.
func (g *Group) background(f func()) bool {
	if !g.closed {
		g.work.Go(f)
	}
	return !g.closed
}

// newGroup returns a group that goes on behind the place after; hasCheckpoint says whether
// that is its checkpoint. It lives until ctx ends or it is stopped.
func newGroup(ctx context.Context, m *Manager, s Settings, filter *streamdb.Filter, after int64, hasCheckpoint bool) *Group {
	g := &Group{
		settings: s, db: m.db, now: m.now, logger: m.logger.With("group", s.Key()), filter: filter, done: make(chan struct{}),
		strategy: newStrategy(s.Strategy()), outstanding: map[uuid.UUID]*message{}, room: make(chan struct{}, 1),
		known: after, lastRead: after, lastTaken: after,
	}
	g.life, g.stop = context.WithCancel(ctx)
	g.checkpoint = checkpointState{at: after, exists: hasCheckpoint, when: m.now()}
	g.stats.started(m.now())
	return g
}

// run feeds the group until it is stopped, then drops its consumers and writes its
// checkpoint.
func (g *Group) run() {
	defer close(g.done)
	var feeding sync.WaitGroup
	feeding.Go(func() { g.feed(g.life) })
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for g.life.Err() == nil {
		select {
		case <-ticks.C:
			g.tick()
		case <-g.life.Done():
		}
	}
	g.drop(ErrDropped)
	feeding.Wait()
	g.mu.Lock()
	g.closed = true // nothing is added to work any more
	g.mu.Unlock()
	g.work.Wait()
	g.finish(context.WithoutCancel(g.life))
}

// tick retries what has expired and writes the checkpoint if one is due.
func (g *Group) tick() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for _, m := range g.expired(now) {
		g.giveBack(m, true)
	}
	g.push(now)
	g.tryCheckpoint(true)
	g.trimParked()
}

func (g *Group) expired(now time.Time) []*message {
	if g.settings.MessageTimeout == 0 {
		return nil
	}
	var late []*message
	for _, m := range g.outstanding {
		if m.client != nil && m.expires.Before(now) {
			late = append(late, m)
		}
	}
	slices.SortFunc(late, func(a, b *message) int { return int(a.order - b.order) })
	return late
}

// push gives messages to consumers while there is room. The group is locked.
func (g *Group) push(now time.Time) {
	if len(g.clients) == 0 {
		return
	}
	g.retry = g.pushFrom(g.retry, now)
	before := len(g.ready)
	g.ready = g.pushFrom(g.ready, now)
	if len(g.ready) < before {
		select {
		case g.room <- struct{}{}:
		default:
		}
	}
}

// pushFrom gives out what it can of the queue and returns the rest, in order. What is passed
// over counts as begun, for what follows may be given out: no checkpoint may pass it.
func (g *Group) pushFrom(queue []*message, now time.Time) []*message {
	var rest []*message
	for i, m := range queue {
		// While one with the same id is with a consumer, the other waits: which of the two is
		// acknowledged could not be told.
		_, same := g.outstanding[m.id]
		var client *Client
		verdict := wait
		if !same {
			clients := g.clientsFor(m)
			if len(clients) == 0 {
				g.begin(m)
				g.settle(m)
				continue
			}
			client, verdict = g.strategy.choose(clients, m)
			if verdict == full && len(clients) < len(g.clients) {
				verdict = wait // what others may have is not held up
			}
		}
		if verdict == full {
			if rest == nil {
				return queue[i:]
			}
			return append(rest, queue[i:]...)
		}
		g.begin(m)
		if verdict == wait {
			rest = append(rest, m)
			continue
		}
		queue[i] = nil
		g.give(m, client, now)
	}
	return rest
}

// clientsFor returns the consumers that may have the message.
func (g *Group) clientsFor(m *message) []*Client {
	if !slices.ContainsFunc(g.clients, func(c *Client) bool { return !c.mayHave(m) }) {
		return g.clients
	}
	return slices.DeleteFunc(slices.Clone(g.clients), func(c *Client) bool { return !c.mayHave(m) })
}

// begin counts a message among those given out, once.
func (g *Group) begin(m *message) {
	if m.order >= 0 || m.replayed() {
		return
	}
	g.knownOrder++
	m.order, m.before = g.knownOrder, g.known
	g.known = m.then
	g.readyBytes -= m.size
	heap.Push(&g.pending, m)
}

func (g *Group) give(m *message, c *Client, now time.Time) {
	m.client, m.expires = c, now.Add(g.settings.timeout())
	g.outstanding[m.id] = m
	g.stats.total++
	m.given = now
	c.take(m, g.strategy)
}

// release takes a message back from its consumer. The group is locked.
func (g *Group) release(m *message) {
	if m.client != nil {
		m.client.release(m, g.strategy)
		m.client = nil
	}
	delete(g.outstanding, m.id)
}

// settle ends a message.
func (g *Group) settle(m *message) {
	g.release(m)
	m.settled = true
	g.replays.settled(m)
}

// giveBack makes a message that failed ready again, or parks it where it has failed too
// often and that is asked for.
func (g *Group) giveBack(m *message, mayPark bool) {
	if mayPark && m.retries >= g.settings.MaxRetryCount {
		g.park(m, fmt.Sprintf("Reached retry count of %d", g.settings.MaxRetryCount))
		return
	}
	g.release(m)
	m.retries++
	g.retry = slices.Insert(g.retry, retryAt(g.retry, m), m)
}

// drop ends all consumers' connections.
func (g *Group) drop(reason error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropped = reason
	for _, c := range slices.Clone(g.clients) {
		g.remove(c, reason)
	}
}
