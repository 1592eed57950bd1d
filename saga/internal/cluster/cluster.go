package cluster

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/timers"
)

// Log is the part of the log that takes signs of life.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
}

// Runs is the list of unfinished runs; see [timers.List].
type Runs interface {
	Choose(f func(run domain.RunID, wake domain.Wake, again bool) bool) []domain.RunID
}

// Config identifies this node. [Cluster.Run] needs all fields.
type Config struct {
	// Node is this node's name; Incarnation identifies this process.
	Node, Incarnation string
	// NodeTimeout is how long a node may show no sign of life before it counts as dead.
	// TakeoverDelay is how much later each further node acts than the one before it.
	NodeTimeout, TakeoverDelay time.Duration

	Log    Log
	Clock  *timers.Clock
	Logger *slog.Logger
	// TakeUp continues runs whose node is dead. It blocks until it has looked at all of them.
	TakeUp func([]domain.RunID)
	// Notify sends an alert. It does not block.
	Notify func(domain.Alert)
}

// Cluster is a node's knowledge of the other nodes. It is safe to use concurrently.
type Cluster struct {
	cfg Config

	mu sync.Mutex
	// signs counts this node's own signs of life, as read from the log.
	signs int
	// lives has each incarnation of another node that this node has heard of since it began to
	// listen.
	lives   map[string]life
	heardOf int // number of lives heard of
	// own is how far this node's steady clock was ahead of the log's clock at its latest sign of
	// life; nil before the first. ownSign is when the log took that sign.
	own     *time.Duration
	ownSign time.Time
}

// life is what is known of another incarnation.
type life struct {
	at     int       // number of own signs read when it was last heard of
	first  int       // its number among the lives heard of
	sign   time.Time // when the log took its latest sign of life
	left   bool      // it recorded that it leaves
	buried bool      // its runs were taken up
	clock  nodeClock
}

// Own signs are a quarter of the node timeout apart: five of them span it.
const (
	signsPerTimeout = 4
	signsOfDeath    = signsPerTimeout + 1
	// signsKept is for how many own signs a dead incarnation is remembered.
	signsKept = 1000
)

// New returns an empty Cluster.
func New(cfg Config) *Cluster { return &Cluster{cfg: cfg, lives: make(map[string]life)} }

// Run writes signs of life and takes up the runs of dead nodes, until ctx ends. Meanwhile the
// caller must pass the log's events to [Cluster.Seen] and [Cluster.Heard].
func (c *Cluster) Run(ctx context.Context, runs Runs) {
	var all sync.WaitGroup
	all.Go(func() { c.show(ctx) })
	all.Go(func() { c.sweep(ctx, runs) })
	all.Wait()
}
