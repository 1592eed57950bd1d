package desk

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Log is the part of the log that a desk uses.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Config configures [New]. All fields are required.
type Config struct {
	Log Log
	// Now is the clock.
	Now func() time.Time
	// Operate has an intent decided for a run, and recorded with the context's actor.
	Operate func(ctx context.Context, what string, run domain.RunID, text string, in machine.Intent) error
	// Actor returns the context's actor, or an error if its name can't be recorded. It waits until
	// the log may be written to.
	Actor func(ctx context.Context) (string, error)
}

// Desk records what people do about incidents. It is safe to use concurrently. Make one with
// [New]; a coordinator has one.
type Desk struct {
	Config
	mu     sync.Mutex // guards what follows
	next   uint64     // the revision of the snoozes' stream from which to read on
	groups map[string]GroupSnooze
}

// New returns a desk. It starts nothing.
func New(cfg Config) *Desk { return &Desk{Config: cfg, groups: make(map[string]GroupSnooze)} }

// Do records the act in the run's stream, as one event: for those of the incidents that are open,
// or for all open ones if none is named. A note without names is recorded for the run if nothing is
// open. Errors: [domain.ErrBadInput], [domain.ErrNotFound], [machine.ErrNotStuck] if none of the
// incidents is open, [machine.ErrEnded].
func (d *Desk) Do(ctx context.Context, run domain.RunID, incidents []string, a Act) error {
	if err := a.Validate(d.Now()); err != nil {
		return fmt.Errorf("%s: %w", a.Kind, err)
	}
	in := machine.Remark{Incidents: incidents, OfRun: a.Kind == Note, Make: func(open []string) domain.Event {
		switch a.Kind {
		case Assign:
			return &domain.RunAssigned{Incidents: open, To: a.To, Reason: a.Text}
		case Snooze:
			return &domain.RunSnoozed{Incidents: open, Until: endOf(a.Until, d.Now()), Reason: a.Text}
		}
		return &domain.RunNoted{Incidents: open, Note: a.Text}
	}}
	return d.Operate(ctx, string(a.Kind), run, a.Text, in)
}
