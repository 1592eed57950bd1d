package groups

import (
	"context"
	"errors"
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

// groupStats are what a group's info counts.
type groupStats struct {
	total, lastTotal int64
	lastMeasure      time.Time
}

func (s *groupStats) started(now time.Time) { s.lastMeasure = now }
