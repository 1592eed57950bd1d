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
	"github.com/atonehq/atone/saga/clock"
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

var _ Log = domain.Log(nil)

// Config configures a [Coordinator]. Only Log is required.
type Config struct {
	// Log holds the runs. The coordinator does not close it.
	Log Log
	// Logger receives log messages; nil means slog.Default.
	Logger *slog.Logger
	// Clock is where runs have the time from, and the contexts of handlers that run here; nil means
	// this machine's clocks. Another one is for tests, and not for coordinators that share a log.
	// What the coordinator waits for in its own affairs is measured with the machine's clock.
	Clock clock.Clock
	// Node names this coordinator among those that share the log. It is the actor of what the
	// coordinator does by itself. Empty means "coordinator".
	Node string

	// Publisher and Subscriber carry attempts to workers and outcomes back. Both nil means
	// an in-process queue. With a broker, competing consumers must share one group.
	Publisher  message.Publisher
	Subscriber message.Subscriber
	// Namespace is part of every topic. It separates coordinators on different logs that share one
	// broker; their workers need the same one, and so do coordinators on one log ([Config.Shared]).
	// At most 40 letters, digits, '-' and '_'. Empty is a valid namespace.
	Namespace string
	// NoWorker means that only workers in other processes run actions; it needs a broker.
	NoWorker bool
	// Middleware is added to every action's Watermill handler.
	Middleware []message.HandlerMiddleware
	// Observer is told of every attempt that runs here; may be nil.
	Observer Observer
	// Alerts are the sinks that alerts go to; see [AlertKind].
	Alerts []AlertSink

	// OnDemand is for tools that do one thing and end. The coordinator moves only the runs that are
	// started, waited for or operated on here. It leaves all other unfinished runs, triggers and
	// alerts to the next coordinator. Unless the log is Shared, no other coordinator may be
	// running: attempts that an earlier one had in flight in these runs count as lost.
	OnDemand bool

	// PlansWhenRun stores the plan of a saga or action with its first run, instead of storing all
	// plans when Run begins. It is for programs that offer more sagas than most of their logs ever
	// use. Run still refuses a plan that differs from the log's.
	PlansWhenRun bool

	// Shared means that other coordinators use the same log at the same time (EventStoreDB). They
	// then take over each other's due work and the runs of one that died. Each needs a Node
	// of its own.
	Shared bool
	// NodeTimeout is how long a node may show no sign of life before it counts as dead; 0 means 10
	// s. TakeoverDelay is how much later each further node acts on due work than the one before it;
	// 0 means 1 s. Both matter only with Shared.
	NodeTimeout, TakeoverDelay time.Duration

	// MaxRuns bounds the runs that are under way at once. When it is reached, Start and triggers
	// wait; triggers go on reading events meanwhile. A run and its child runs count as one run
	// while any of them has work to do or in flight. They do not count while all of them wait for a
	// time, a signal, an event or a person. A run that resumes after such a wait does so at once,
	// and counts. 0 means 10,000.
	MaxRuns int
	// ActionConcurrency bounds the attempts of one action at once, unless the action sets its own
	// bound; 0 means 1,024.
	ActionConcurrency int
	// CacheRuns bounds the unfinished runs whose state is kept in memory while they wait; 0
	// means 10,000. A run that is not in memory is folded from its stream when needed.
	CacheRuns int
	// RecoverConcurrency is how many runs are taken up at once after a start; 0 means 8.
	RecoverConcurrency int
	// CheckpointEvery is the number of appended events after which the list of unfinished runs is
	// saved. It bounds what a start has to read. 0 means 200,000.
	CheckpointEvery int
	// SnapshotEvery is the number of events after which a long run's state is saved; 0 means 2,000,
	// negative never.
	SnapshotEvery int
	// ShutdownTimeout bounds how long Run, once cancelled, waits for handlers (undos are not cut
	// short) to return; 0 means 30 s.
	ShutdownTimeout time.Duration
}

func (c *Config) setDefaults() {
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Clock == nil {
		c.Clock = clock.System{}
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

// newIncarnation returns a new name for this start of the node. Its successor recognises by it the
// attempts that died with this process.
func newIncarnation(node string) string { return node + "/" + uuid.NewString()[:8] }
