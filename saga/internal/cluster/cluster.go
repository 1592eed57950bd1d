package cluster

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/timers"
)

// Log takes signs of life.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
}

// Runs is the list of unfinished runs; see [timers.List].
type Runs interface {
	Choose(f func(run domain.RunID, wake domain.Wake, again bool) bool) []domain.RunID
}

// Config says who this node is. All fields are required, for [Cluster.Run] at least.
type Config struct {
	// Node is this node's name, Incarnation names its present life.
	Node, Incarnation string
	// NodeTimeout is after how long without a sign of life a node counts as dead. TakeoverDelay is
	// how much later than the one before it each further node acts.
	NodeTimeout, TakeoverDelay time.Duration

	Log    Log
	Clock  *timers.Clock
	Logger *slog.Logger
	// TakeUp goes on with runs whose node is dead. It blocks until all of them were looked at.
	TakeUp func([]domain.RunID)
	// Notify has an alert told. It does not block.
	Notify func(domain.Alert)
}

// Cluster is what a node knows of the others. It is safe to use concurrently.
type Cluster struct {
	cfg Config

	mu sync.Mutex
	// signs counts this node's own signs of life, as read from the log.
	signs int
	// lives is what is known of each incarnation of other nodes. Nothing was heard of one that is
	// missing since this node began to listen.
	lives   map[string]life
	heardOf int // how many lives were heard of
	// own is how far this node's steady clock was ahead of the log's at its latest sign of life,
	// and ownSign when the log took that; own is nil before the first.
	own     *time.Duration
	ownSign time.Time
}

// life is what is known of another incarnation.
type life struct {
	at     int       // how many own signs had been read when it was last heard of
	first  int       // its number among the lives that were heard of
	sign   time.Time // when the log took its latest sign of life
	left   bool      // it said goodbye
	buried bool      // its death was dealt with
	clock  nodeClock
}

// Own signs are a quarter of the node timeout apart: five of them span it.
const (
	signsPerTimeout = 4
	signsOfDeath    = signsPerTimeout + 1
	// signsKept is for how many own signs a dead incarnation is remembered.
	signsKept = 1000
)

// New returns what a node knows at first: nothing.
func New(cfg Config) *Cluster { return &Cluster{cfg: cfg, lives: make(map[string]life)} }

// Run shows that this node lives, and looks after the runs of those that do not, until ctx ends.
// [Cluster.Seen] and [Cluster.Heard] are to be called with what the log says meanwhile.
func (c *Cluster) Run(ctx context.Context, runs Runs) {
	var all sync.WaitGroup
	all.Go(func() { c.show(ctx) })
	all.Go(func() { c.sweep(ctx, runs) })
	all.Wait()
}
