package saga

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/work"
)

// Log is what a coordinator needs of an event log; every [domain.Log] has it.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
	ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
	Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error]
}

// Config configures a [Coordinator]. Only Log is required.
type Config struct {
	// Log holds the runs. The coordinator does not close it.
	Log Log
	// Logger receives what people may want to know; nil means slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Node names this coordinator among those that share the log, and is the actor of what
	// it does by itself; empty means "coordinator".
	Node string

	// Publisher and Subscriber carry attempts to workers and outcomes back. Both nil means
	// an in-process queue. With a broker, competing consumers must share one group.
	Publisher  message.Publisher
	Subscriber message.Subscriber
	// Namespace is part of every topic and keeps coordinators on different logs apart that share one
	// broker; their workers name it too. Letters, digits, '-' and '_', at most 40; empty is a
	// namespace of its own. Coordinators on one log ([Config.Shared]) have the same one.
	Namespace string
	// NoWorker leaves the running of actions to workers in other processes; it needs a broker.
	NoWorker bool
	// Middleware is added to every action's Watermill handler.
	Middleware []message.HandlerMiddleware
	// Observer is told of every attempt that runs here; may be nil.
	Observer Observer
	// Alerts are told of stuck, failed and slow runs.
	Alerts []AlertSink

	// OnDemand leaves the log's unfinished runs, triggers and alerts alone and only moves runs that are started,
	// waited for or operated on here: for a tool that does one thing and ends. What it leaves undone goes on
	// with the next coordinator. Unless the log is Shared, attempts of these runs that another coordinator had in
	// flight are lost: it must have ended.
	OnDemand bool

	// PlansWhenRun stores the plan of a saga or action with its first run, instead of all of them when Run begins:
	// for programs that offer more than most of their logs ever see. Run refuses a plan that differs from the
	// one that the log knows all the same.
	PlansWhenRun bool

	// Shared means that other coordinators use the same log at the same time (EventStoreDB). They
	// then take over each other's due work and the runs of one that died. Each needs a Node
	// of its own.
	Shared bool
	// NodeTimeout is after how long without a sign of life a node counts as dead; 0 means 10 s.
	// TakeoverDelay is how much later than the one before it each further node acts on work that is
	// due; 0 means 1 s. Both are for Shared.
	NodeTimeout, TakeoverDelay time.Duration

	// MaxRuns bounds the runs that are under way at once; when it is reached, Start waits, and so do triggers, which
	// keep nobody from reading. A run and its child runs count as one while any of them has something to do or in
	// flight, and not while all of them wait: for a time, a signal, an event, a person. What goes on after such a wait
	// does so at once and counts as well. 0 means 10,000.
	MaxRuns int
	// ActionConcurrency bounds the attempts of one action at once, where the action sets no
	// bound itself; 0 means 1,024.
	ActionConcurrency int
	// CacheRuns bounds the unfinished runs whose state is kept in memory while they wait; 0
	// means 10,000. A run that is not in memory is folded from its stream when needed.
	CacheRuns int
	// RecoverConcurrency is how many runs are taken up at once after a start; 0 means 8.
	RecoverConcurrency int
	// CheckpointEvery is after how many appended events the list of unfinished runs is saved,
	// which bounds what a start has to read; 0 means 200,000.
	CheckpointEvery int
	// SnapshotEvery is after how many events a long run's state is saved; 0 means 2,000,
	// negative never.
	SnapshotEvery int
	// ShutdownTimeout bounds how long Run, once cancelled, waits for handlers (undos are not cut
	// short) to return; 0 means 30 s.
	ShutdownTimeout time.Duration
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Node = cmp.Or(c.Node, "coordinator")
	c.MaxRuns = cmp.Or(c.MaxRuns, 10_000)
	c.ActionConcurrency = cmp.Or(c.ActionConcurrency, 1_024)
	c.CacheRuns = cmp.Or(c.CacheRuns, 10_000)
	c.RecoverConcurrency = cmp.Or(c.RecoverConcurrency, 8)
	c.CheckpointEvery = cmp.Or(c.CheckpointEvery, 200_000)
	c.SnapshotEvery = cmp.Or(c.SnapshotEvery, 2_000)
	c.ShutdownTimeout = cmp.Or(c.ShutdownTimeout, 30*time.Second)
	c.NodeTimeout = cmp.Or(c.NodeTimeout, 10*time.Second)
	c.TakeoverDelay = cmp.Or(c.TakeoverDelay, time.Second)
}

// validate reports everything that is wrong at once.
func (c *Config) validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(c.Log == nil, "Config.Log is nil: open one, for example with pebblelog.Open")
	bad((c.Publisher == nil) != (c.Subscriber == nil), "Config.Publisher and Config.Subscriber go together: set both, or neither")
	bad(c.NoWorker && c.Publisher == nil, "Config.NoWorker needs a broker: set Publisher and Subscriber")
	bad(c.MaxRuns < 0 || c.ActionConcurrency < 0 || c.CacheRuns < 0 || c.RecoverConcurrency < 0 || c.CheckpointEvery < 0,
		"Config: MaxRuns, ActionConcurrency, CacheRuns, RecoverConcurrency and CheckpointEvery can't be negative")
	bad(c.ShutdownTimeout < 0 || c.NodeTimeout < 0 || c.TakeoverDelay < 0, "Config: ShutdownTimeout, NodeTimeout and TakeoverDelay can't be negative")
	bad(!definition.ValidName(c.Node), "Config.Node is %q: use 1 to 100 letters, digits, '-', '_' or '.'", c.Node)
	if err := work.CheckNamespace(c.Namespace); err != nil {
		errs = append(errs, fmt.Errorf("Config: %w", err))
	}
	return errors.Join(errs...)
}

// newIncarnation names one life of a coordinator, so that its successor knows which
// attempts died with it.
func newIncarnation(node string) string { return node + "/" + uuid.NewString()[:8] }
