package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/rejected"
)

// Log is the part of the log that the inbox uses.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
	ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
	Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error]
}

// Trigger starts runs of a saga for events of a type.
type Trigger struct {
	// Type and StreamPrefix select the events.
	Type, StreamPrefix string
	// Saga and Version name the saga that is started.
	Saga    string
	Version int
	// Ask asks the trigger's code whether an event starts a run, and which. It may panic or
	// hang.
	Ask func(e *domain.Recorded) (Asked, error)
}

// Asked is the run that an event asks for, if it is wanted. An empty key means that the event's id
// makes the run's id.
type Asked struct {
	Wanted bool
	Input  json.RawMessage
	Key    string
	Labels map[string]string
}

// Start is a run that an event starts.
type Start struct {
	Run     domain.RunID
	Saga    string
	Version int
	Asked
	// Trigger says which event it was, Correlation what that event's correlation id is.
	Trigger     domain.TriggerRef
	Correlation string
}

// Config configures [New]. All fields are required.
type Config struct {
	Log    Log
	Logger *slog.Logger
	// Life ends when the coordinator stops.
	Life context.Context
	// Go runs f in the background until Life ends. It returns false if Life has ended.
	Go func(f func(ctx context.Context)) bool
	// CheckpointEvery is about the number of events after which the index is saved.
	CheckpointEvery int
	// Width is how many runs are read at once when the index is built from the log.
	Width int

	// Awaiting are the event types that the sagas of each registered plan await, by the plan's
	// hash.
	Awaiting map[string][]string
	Triggers []Trigger
	// Start starts a run and returns the hash of its plan, or "" if the run has ended.
	// [domain.ErrBadInput] means that the event can't start one.
	Start func(ctx context.Context, s *Start) (plan string, err error)
	// Reject records that an event can't start its run; news is false if that was known. Mask takes
	// the secrets of an event's payload out of an error about it.
	Reject func(ctx context.Context, e *rejected.Event) (news bool, err error)
	Mask   func(e *domain.Recorded, err error) error
	// Deliver delivers an event to a run. [machine.ErrTaken] and [machine.ErrNotAwaited] are
	// answers, not failures. over is true if the run takes no more events.
	Deliver func(ctx context.Context, run domain.RunID, seen machine.EventSeen) (over bool, err error)
	// Notify sends an alert. It does not block.
	Notify func(domain.Alert)

	// Shared means that other coordinators use the log at the same time.
	Shared bool
	// Delay returns how long this node waits before it acts on a run that owner last wrote to; an
	// empty owner means none. OwnerOf returns the owner of an unfinished run.
	Delay   func(run domain.RunID, owner string) time.Duration
	OwnerOf func(run domain.RunID) string
	// Heard is called with the events of runs that came after the start, if the log is shared.
	Heard func(run domain.RunID, e *domain.Recorded)
	// Node is called with atone's other events, including the nodes' signs of life.
	Node func(e *domain.Recorded)
	// Stirred, if not nil, is called when [Inbox.Idle] may have become true. It must not block.
	Stirred func()
	// Read, if not nil, is called with everything that is read of the log, in log order; after an
	// interruption some of it comes again. It must not block.
	Read func(d domain.Delivery)
}

// Inbox reads the whole log. Domain events start runs ([lane]) and wake runs that await them
// ([deliverer]); if coordinators share the log, this one learns what the others do. The reading
// goroutine does none of that work and waits for nothing but the log. Lanes and deliverer save
// their progress; after a crash they may repeat work, which is idempotent.
type Inbox struct {
	Config
	// awaited are all awaited types.
	awaited   []string
	lanes     []*lane
	deliverer *deliverer
	follows   bool // the log: something needs it
	// scanned is the position up to which the list of unfinished runs was read at the start;
	// unfinished is that list.
	scanned    domain.Position
	unfinished []Unfinished
	// begins is the position from which events concern runs that are still to be started. It may be
	// before scanned, because a trigger may lag.
	begins     domain.Position
	complained time.Time // when an event was last complained about
	// changes counts the events that make it worth saving a position.
	changes atomic.Int64

	mu    sync.Mutex
	index *Index
	// known is how far the index knew the log when this process started; seen is how far everything
	// was read.
	known, seen domain.Position
	// live means that everything from before the start has been read. Until then an await may look
	// open that a later event meets.
	live bool
	// events counts those read since the index was saved.
	events int
	// leaving means that events are being stored under their keys; left is signalled afterwards.
	leaving bool
	left    *sync.Cond
}

// Unfinished is a run that had not ended at the start; Waits means that it awaited an event.
type Unfinished struct {
	Run   domain.RunID
	Waits bool
}

// New returns an inbox. It starts nothing.
func New(cfg Config) *Inbox {
	in := &Inbox{Config: cfg}
	if in.Stirred == nil {
		in.Stirred = func() {}
	}
	in.left = sync.NewCond(&in.mu)
	for _, types := range in.Awaiting {
		in.awaited = append(in.awaited, types...)
	}
	slices.Sort(in.awaited)
	in.awaited = slices.Compact(in.awaited)
	in.index = NewIndex(in.awaited)
	for i := range in.Triggers {
		in.lanes = append(in.lanes, newLane(in, &in.Triggers[i]))
	}
	in.deliverer = newDeliverer(in)
	return in
}

// Open follows the log if anything needs it. scanned is the position up to which the list of
// unfinished runs is complete. Everything appended after Open has returned is read.
func (in *Inbox) Open(ctx context.Context, scanned domain.Position, unfinished []Unfinished) error {
	if len(in.lanes) == 0 && len(in.awaited) == 0 && !in.Shared {
		return nil
	}
	in.scanned, in.follows = scanned, true
	if err := in.loadTriggers(ctx); err != nil {
		return err
	}
	in.begins = in.scanned
	for _, l := range in.lanes {
		in.begins = min(in.begins, l.read)
	}
	if len(in.awaited) > 0 {
		in.unfinished = unfinished
	}
	for _, l := range in.lanes {
		in.Go(l.run)
	}
	in.Go(in.follow)
	in.Go(in.keepSaved)
	if len(in.awaited) > 0 {
		in.deliverer.start()
	}
	return nil
}

// HeldUp returns, by trigger, how long it has made no progress.
func (in *Inbox) HeldUp() map[string]time.Duration {
	held := make(map[string]time.Duration)
	for _, l := range in.lanes {
		if since := l.trouble.since(); !since.IsZero() {
			held[l.interest] = max(held[l.interest], time.Since(since))
		}
	}
	return held
}

// Rejected returns, by trigger, how many events could not start their runs since the process began.
func (in *Inbox) Rejected() map[string]int64 {
	counts := make(map[string]int64)
	for _, l := range in.lanes {
		counts[l.interest] += l.rejected.Load()
	}
	return counts
}

// follow reads the log until ctx ends. It logs interruptions and continues.
func (in *Inbox) follow(ctx context.Context) {
	prepared := false
	_ = again.Until(ctx, 100*time.Millisecond, 10*time.Second, func() error {
		if !prepared {
			if err := in.prepare(ctx); err != nil {
				return err
			}
			prepared = true
		}
		if err := in.read(ctx); err != nil {
			return err
		}
		return errEnded
	}, func(err error, _ int, again time.Duration) {
		in.Logger.Error("following the log was interrupted, going on", "in", again, "error", err)
	})
}

// errEnded means that a subscription ended by itself.
var errEnded = errors.New("the subscription ended")

// prepare finds the position from which to read the log.
func (in *Inbox) prepare(ctx context.Context) error {
	began, index, position := time.Now(), in.index, in.scanned
	if len(in.awaited) > 0 {
		var err error
		if index, position, err = in.loadIndex(ctx); err != nil {
			return err
		}
		if index == nil {
			if index, position, err = in.beginIndex(ctx); err != nil {
				return err
			}
			in.saveSoon() // so that this need not be done again
		}
		in.Logger.Info("awaits read", "runs", index.Known(), "events", index.Kept(), "took", time.Since(began))
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.index, in.known, in.unfinished = index, position, nil
	in.seen = min(position, in.scanned)
	return nil
}

// read follows the log from the last position read.
func (in *Inbox) read(ctx context.Context) error {
	for d, err := range in.Log.Subscribe(ctx, in.seen, domain.Filter{}) {
		if err != nil {
			return err
		}
		if d.Event != nil {
			in.take(d.Event)
		}
		if in.Read != nil {
			in.Read(d)
		}
		in.mu.Lock()
		in.seen = d.Position
		if d.Event != nil {
			in.events++
		}
		if d.CaughtUp && !in.live {
			in.live = true
			for _, run := range in.index.Ready() {
				in.deliverer.schedule(run)
			}
		}
		in.mu.Unlock()
		in.Stirred()
	}
	return ctx.Err()
}
