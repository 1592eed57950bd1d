package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// deliveryWidth is the number of runs to which events are delivered at once.
const deliveryWidth = 256

// deliverer delivers events to the runs that await them: to many runs at once, to each run one
// event after the other. A run that fails to take an event is tried again separately and delays no
// other.
//
// If several nodes share a log, all of them deliver, in the order in which they act on the run (see
// [cluster]): later ones find the await already met.
type deliverer struct {
	in *Inbox

	mu      sync.Mutex
	ready   []domain.RunID
	runs    map[domain.RunID]*delivery
	changed *sync.Cond
	stopped bool
}

// delivery is the state of a run with events to deliver.
type delivery struct {
	queued, running bool
	again           bool // look at the run once more: something happened while it was running
	waiting         bool // for its time
	failures        int
}

func newDeliverer(in *Inbox) *deliverer {
	d := &deliverer{in: in, runs: make(map[domain.RunID]*delivery)}
	d.changed = sync.NewCond(&d.mu)
	return d
}

func (d *deliverer) start() {
	for range deliveryWidth {
		d.in.Go(d.work)
	}
	d.in.Go(func(ctx context.Context) {
		<-ctx.Done()
		d.in.mu.Lock()
		d.in.left.Broadcast()
		d.in.mu.Unlock()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.stopped = true
		d.changed.Broadcast()
	})
}

// schedule makes the deliverer look at a run: at once, or, if another node should act first, after
// that node's time.
func (d *deliverer) schedule(run domain.RunID) {
	d.scheduleIn(run, d.in.Delay(run, d.in.OwnerOf(run)))
}

func (d *deliverer) scheduleIn(run domain.RunID, delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.runs[run]
	if s == nil {
		s = &delivery{}
		d.runs[run] = s
	}
	switch {
	case s.queued || s.waiting && (delay > 0 || s.failures > 0):
	case s.running && delay == 0:
		s.again = true
	case delay > 0:
		s.waiting = true
		time.AfterFunc(delay, func() {
			d.mu.Lock()
			s.waiting = false
			d.mu.Unlock()
			d.scheduleIn(run, 0)
		})
	default:
		s.queued = true
		d.ready = append(d.ready, run)
		d.changed.Signal()
	}
}

func (d *deliverer) work(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		for len(d.ready) == 0 && !d.stopped {
			d.changed.Wait()
		}
		if d.stopped {
			return
		}
		run := d.ready[0]
		d.ready = d.ready[1:]
		s := d.runs[run]
		s.queued, s.running = false, true
		d.mu.Unlock()
		err := d.deliverTo(ctx, run)
		d.mu.Lock()
		s.running = false
		d.done(run, s, err)
	}
}

// done decides when to look at a run again. The caller holds mu.
func (d *deliverer) done(run domain.RunID, s *delivery, err error) {
	again := s.again
	s.again = false
	switch {
	case err != nil && !d.stopped && !errors.Is(err, domain.ErrNotRunning):
		s.failures++
		delay := min(100*time.Millisecond<<min(s.failures, 10), time.Minute)
		if s.failures == 1 || s.failures%10 == 0 {
			d.in.Logger.Error("an event can't be delivered to the run that awaits it, trying again", "run", run, "in", delay, "tries", s.failures, "error", err)
		}
		d.mu.Unlock()
		d.scheduleIn(run, delay)
		d.mu.Lock()
	case again:
		s.failures = 0
		s.queued = true
		d.ready = append(d.ready, run)
		d.changed.Signal()
	case !s.waiting:
		delete(d.runs, run)
		d.in.Stirred()
	}
}

// deliverTo delivers to a run the events that it awaits and has not taken.
func (d *deliverer) deliverTo(ctx context.Context, run domain.RunID) error {
	in, left := d.in, make(map[Key][]Event)
	for ctx.Err() == nil {
		in.mu.Lock()
		o, ok := in.index.Next(run, left)
		in.mu.Unlock()
		var err error
		switch {
		case !ok:
			return nil
		case o.Unknown:
			err = in.findBeginning(ctx, run)
		case o.Left:
			left[o.Key], err = in.readLeft(ctx, o.Key)
		default:
			err = in.deliver(ctx, run, &o)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// findBeginning finds the position after which events concern a run whose start the index did not
// see.
func (in *Inbox) findBeginning(ctx context.Context, run domain.RunID) error {
	from, types, err := in.beginning(ctx, Unfinished{Run: run, Waits: true})
	if err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if from == 0 {
		in.index.End(run) // its stream has no beginning, so no program can continue it
	} else if in.index.Knows(run) {
		in.index.Begin(run, from, types)
	}
	return nil
}

// deliver delivers one event, and notes the result.
func (in *Inbox) deliver(ctx context.Context, run domain.RunID, o *Offer) error {
	value, err := in.payload(ctx, o.Event)
	if err != nil {
		return err
	}
	over := false
	if value != nil {
		seen := machine.EventSeen{Type: o.Key.Type, Correlation: o.Key.Correlation, ID: o.Event.ID.String(), Value: value}
		over, err = in.Deliver(ctx, run, seen)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	these := func(a Await) bool {
		for _, b := range o.Awaits {
			if a == b {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil && value != nil:
		in.index.Take(run, o.Key, o.Event.ID, o.Event.Position)
		in.index.Close(run, these)
	case err == nil, errors.Is(err, machine.ErrTaken):
		in.index.Take(run, o.Key, o.Event.ID, o.Event.Position)
	case errors.Is(err, machine.ErrNotAwaited):
		in.index.Close(run, these)
	case over:
		in.index.End(run)
	default:
		return err
	}
	return nil
}

// payload returns the payload of an event; nil where it is not in the log any more.
func (in *Inbox) payload(ctx context.Context, e *Event) (json.RawMessage, error) {
	if e.Data != nil {
		return e.Data, nil
	}
	for r, err := range in.Log.ReadStream(ctx, e.Stream, e.Revision) {
		if err != nil {
			return nil, fmt.Errorf("read event %s in %s: %w", e.ID, e.Stream, err)
		}
		if r.ID == e.ID {
			return domain.OrNull(r.Data), nil
		}
		break
	}
	in.Logger.Warn("an awaited event is not in the log any more", "event", e.ID, "stream", e.Stream, "revision", e.Revision)
	return nil, nil
}
