package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/inbox"
	"github.com/atonehq/atone/saga/machine"
)

// deliveryWidth is to how many runs events are delivered at once.
const deliveryWidth = 256

// deliverer delivers events to the runs that await them: to many runs at once, to each one after the other. A run to
// which nothing can be delivered is tried again by itself and holds up nobody.
//
// Where several nodes share a log, each of them delivers, in the order in which they act on the run (see [cluster]): a
// later one finds the await met.
type deliverer struct {
	f *feed

	mu      sync.Mutex
	ready   []domain.RunID
	runs    map[domain.RunID]*delivery
	changed *sync.Cond
	stopped bool
}

// delivery is the state of a run that has something to be delivered.
type delivery struct {
	queued, running bool
	again           bool // something came up while it was running
	waiting         bool // for its time
	failures        int
}

func newDeliverer(f *feed) *deliverer {
	d := &deliverer{f: f, runs: make(map[domain.RunID]*delivery)}
	d.changed = sync.NewCond(&d.mu)
	return d
}

func (d *deliverer) start() {
	for range deliveryWidth {
		d.f.c.goBackground(d.work)
	}
	d.f.c.goBackground(func(ctx context.Context) {
		<-ctx.Done()
		d.f.mu.Lock()
		d.f.left.Broadcast()
		d.f.mu.Unlock()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.stopped = true
		d.changed.Broadcast()
	})
}

// schedule has a run looked at: at once, or where another node is to act on it first, if that has not done so in time.
func (d *deliverer) schedule(run domain.RunID) {
	delay := time.Duration(0)
	if d.f.c.cfg.Shared {
		delay = d.f.c.cluster.Delay(run, d.f.c.wakeups.OwnerOf(run))
	}
	d.scheduleIn(run, delay)
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

// idle reports whether nothing is to be delivered.
func (d *deliverer) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.runs) == 0
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

// done decides when a run is looked at again. The caller holds mu.
func (d *deliverer) done(run domain.RunID, s *delivery, err error) {
	again := s.again
	s.again = false
	switch {
	case err != nil && !d.stopped && !errors.Is(err, ErrNotRunning):
		s.failures++
		delay := min(100*time.Millisecond<<min(s.failures, 10), time.Minute)
		if s.failures == 1 || s.failures%10 == 0 {
			d.f.c.logger.Error("an event can't be delivered to the run that awaits it, trying again", "run", run, "in", delay, "tries", s.failures, "error", err)
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
	}
}

// deliverTo delivers to a run what it awaits and has not taken.
func (d *deliverer) deliverTo(ctx context.Context, run domain.RunID) error {
	f, left := d.f, make(map[inbox.Key][]inbox.Event)
	for ctx.Err() == nil {
		f.mu.Lock()
		o, ok := f.index.Next(run, left)
		f.mu.Unlock()
		var err error
		switch {
		case !ok:
			return nil
		case o.Unknown:
			err = f.findBeginning(ctx, run)
		case o.Left:
			left[o.Key], err = f.readLeft(ctx, o.Key)
		default:
			err = f.deliver(ctx, run, &o)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// findBeginning tells the index from where on events concern a run whose start it did not see.
func (f *feed) findBeginning(ctx context.Context, run domain.RunID) error {
	from, types, err := f.beginning(ctx, unfinishedRun{id: run, waits: true})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if from == 0 {
		f.index.End(run) // it has no beginning: nobody can go on with it
	} else if f.index.Knows(run) {
		f.index.Begin(run, from, types)
	}
	return nil
}

// deliver delivers one event, and notes what became of it.
func (f *feed) deliver(ctx context.Context, run domain.RunID, o *inbox.Offer) error {
	value, err := f.payload(ctx, o.Event)
	if err != nil {
		return err
	}
	if value != nil {
		id := o.Event.ID.String()
		err = f.c.do(ctx, run, &request{intent: machine.EventSeen{Type: o.Key.Type, Correlation: o.Key.Correlation, ID: id, Value: value},
			ctx: requestContext{actor: f.c.cfg.Node, causation: id}})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	these := func(a inbox.Await) bool {
		for _, b := range o.Awaits {
			if a == b {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil && value != nil:
		f.index.Take(run, o.Key, o.Event.ID, o.Event.Position)
		f.index.Close(run, these)
	case err == nil, errors.Is(err, machine.ErrTaken):
		f.index.Take(run, o.Key, o.Event.ID, o.Event.Position)
	case errors.Is(err, machine.ErrNotAwaited):
		f.index.Close(run, these)
	case errors.Is(err, ErrNotFound), isRefusal(err):
		f.index.End(run)
	default:
		return err
	}
	return nil
}

// payload returns the payload of an event; nil where it is not in the log any more.
func (f *feed) payload(ctx context.Context, e *inbox.Event) (json.RawMessage, error) {
	if e.Data != nil {
		return e.Data, nil
	}
	for r, err := range f.c.log.ReadStream(ctx, e.Stream, e.Revision) {
		if err != nil {
			return nil, fmt.Errorf("read event %s in %s: %w", e.ID, e.Stream, err)
		}
		if r.ID == e.ID {
			return orNullJSON(r.Data), nil
		}
		break
	}
	f.c.logger.Warn("an awaited event is not in the log any more", "event", e.ID, "stream", e.Stream, "revision", e.Revision)
	return nil, nil
}
