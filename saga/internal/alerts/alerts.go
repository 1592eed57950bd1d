package alerts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/desk"
	"github.com/atonehq/atone/saga/internal/again"
	"github.com/atonehq/atone/saga/internal/timers"
	"github.com/atonehq/atone/saga/machine"
)

// Log is the part of the log that alerts use.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error]
}

// Config configures [New]. All fields are required.
type Config struct {
	Log    Log
	Logger *slog.Logger
	Clock  *timers.Clock
	// Persevere appends an event, and repeats the append while the log does not answer.
	Persevere func(ctx context.Context, stream string, expected domain.Expected, e domain.NewEvent) error

	// Shared means that other nodes use the log at the same time. Incarnation identifies this
	// process, and Alive reports whether another node's process may still be running.
	Shared      bool
	Incarnation string
	Alive       func(incarnation string) bool
	// ClaimEvery is how often this node checks whether it is its turn to send alerts.
	ClaimEvery time.Duration
	// MayTell returns an error while other nodes may consider this one dead, because another node
	// may then send the alerts.
	MayTell func() error
	// LogFailed reports whether the log takes no more appends.
	LogFailed func() bool

	// Unfinished reports whether a run has not ended.
	Unfinished func(run domain.RunID) bool
	// Started reads how a run was started, and when.
	Started func(ctx context.Context, run domain.RunID) (*domain.RunStarted, time.Time, error)
	// Plan reads the plan of a run. An error that is a [domain.ErrUnreadable] concerns that run
	// only.
	Plan func(ctx context.Context, run domain.RunID, hash string) (*domain.Plan, error)
	// Snoozed returns the groups of incidents that are snoozed, by their ids.
	Snoozed func(ctx context.Context) (map[string]desk.GroupSnooze, error)
	// State reads a run as it is now.
	State func(ctx context.Context, run domain.RunID) (*machine.State, error)
}

// Alerts tells sinks. It is safe to use concurrently.
type Alerts struct {
	Config
	held heldUp
}

// New returns Alerts. It starts nothing.
func New(cfg Config) *Alerts { return &Alerts{Config: cfg} }

// Run sends alerts to every sink until ctx ends, each from where it stopped last. A sink is
// identified by its type, and by a number if there are several of one type.
func (a *Alerts) Run(ctx context.Context, sinks []domain.AlertSink) {
	named := make(map[string]int)
	var all sync.WaitGroup
	for _, s := range sinks {
		name := fmt.Sprintf("%T", s)
		if named[name]++; named[name] > 1 {
			name = fmt.Sprint(name, " ", named[name])
		}
		all.Go(func() { a.keepTelling(ctx, s, name) })
	}
	all.Wait()
}

// keepTelling tells one sink until ctx ends.
func (a *Alerts) keepTelling(ctx context.Context, s domain.AlertSink, name string) {
	r := &runner{a: a, sink: &sink{a: a, sink: s, name: name}, marks: &marks{a: a, sink: name}}
	_ = again.Until(ctx, time.Second, time.Minute, func() error {
		for {
			if err := r.run(ctx); !errors.Is(err, errElsewhere) || ctx.Err() != nil {
				return err
			}
		}
	}, func(err error, _ int, in time.Duration) {
		a.Logger.Error("alerts interrupted, going on", "sink", name, "in", in, "error", err)
	})
}

// HeldUp returns, by sink, how long the sink has not accepted its current alert.
func (a *Alerts) HeldUp() map[string]time.Duration { return a.held.list() }
