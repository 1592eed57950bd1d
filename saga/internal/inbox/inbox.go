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
)

// Log is what the inbox needs of the log.
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
	// Saga and Version are what is started.
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

// Config is what the room is given. All fields are required.
type Config struct {
	Log    Log
	Logger *slog.Logger
	// Life ends when the coordinator stops.
	Life context.Context
	// Go runs f in the background until Life ends; it returns false where that is over.
	Go func(f func(ctx context.Context)) bool
	// CheckpointEvery is after about how many events the index is saved.
	CheckpointEvery int
	// Width is how many runs are read at once where the index is made from the log.
	Width int

	// Awaiting are the event types that the sagas of each registered plan await, by the plan's
	// hash.
	Awaiting map[string][]string
	Triggers []Trigger
	// Start starts a run and returns the hash of its plan, or "" where the run has ended.
	// [domain.ErrBadInput] means that the event can't start one.
	Start func(ctx context.Context, s *Start) (plan string, err error)
	// Deliver tells a run of an event. [machine.ErrTaken] and [machine.ErrNotAwaited] are
	// answers; over is true where the run takes no event any more.
	Deliver func(ctx context.Context, run domain.RunID, seen machine.EventSeen) (over bool, err error)
	// Notify has an alert told. It does not block.
	Notify func(domain.Alert)

	// Shared means that other coordinators use the log at the same time.
	Shared bool
	// Delay is how long after the others this node acts on a run; an empty owner is nobody.
	// OwnerOf returns in whose hands an unfinished run is.
	Delay   func(run domain.RunID, owner string) time.Duration
	OwnerOf func(run domain.RunID) string
	// Heard is told of the events of runs that came after the start, where the log is shared.
	Heard func(run domain.RunID, e *domain.Recorded)
	// Node is told of atone's other events, among which are the nodes' signs of life.
	Node func(e *domain.Recorded)
	// Read is told of all that is read of the log, in its order, some of it again after an
	// interruption; nil for nobody. It does not block.
	Read func(d domain.Delivery)
}

// Inbox reads the whole log for what happens in it: domain events start runs ([lane]) and wake runs
// that await them ([deliverer]); where several coordinators share the log, this one hears of what
// the others do. The goroutine that reads does none of that work and waits for nothing but the log.
// How far each of them came is saved, and what they do may be done again.
type Inbox struct {
	Config
	// awaited are all the types that are awaited.
	awaited   []string
	lanes     []*lane
	deliverer *deliverer
	// scanned is up to where the list of unfinished runs was read at the start, unfinished what
	// it said.
	scanned    domain.Position
	unfinished []Unfinished
	// begins is from where on events concern runs that are still to be started: a trigger may
	// stand behind scanned.
	begins     domain.Position
	complained time.Time // when an event was last complained about
	// changes counts what makes a position worth saving.
	changes atomic.Int64

	mu    sync.Mutex
	index *Index
	// known is up to where the index knew the log when this life began, seen up to where
	// everything was read.
	known, seen domain.Position
	// live means that what was there at the start has been read. Until then awaits may look
	// open that were met since.
	live bool
	// events counts those read since the index was saved.
	events int
	// leaving means that events are being stored under their keys; left is signalled when they
	// are.
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

// Open follows the log if anything needs it. scanned is up to where the list of unfinished runs is
// complete. What is appended once Open has returned is not missed.
func (in *Inbox) Open(ctx context.Context, scanned domain.Position, unfinished []Unfinished) error {
	if len(in.lanes) == 0 && len(in.awaited) == 0 && !in.Shared {
		return nil
	}
	in.scanned = scanned
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

// HeldUp tells for how long which triggers have not got on.
func (in *Inbox) HeldUp() map[string]time.Duration {
	held := make(map[string]time.Duration)
	for _, l := range in.lanes {
		if since := l.trouble.since(); !since.IsZero() {
			held[l.interest] = max(held[l.interest], time.Since(since))
		}
	}
	return held
}

// follow reads the log until ctx ends. Interruptions are logged and outlived.
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

// prepare finds out from where on the log is to be read.
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
			in.saveSoon() // so that this is done once
		}
		in.Logger.Info("awaits read", "runs", index.Known(), "events", index.Kept(), "took", time.Since(began))
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.index, in.known, in.unfinished = index, position, nil
	in.seen = min(position, in.scanned)
	return nil
}

// read follows the log from where it was read last.
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
	}
	return ctx.Err()
}
