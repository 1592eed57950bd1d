package inbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
	"github.com/atonehq/atone/saga/internal/contain"
)

// lane starts the runs of one trigger. While it keeps up, it takes the events that the feed pushes.
// When it can't, it reads the events from the log itself, later. So a trigger that is busy, whose
// code hangs, or whose runs find no place among MaxRuns, delays neither the feed nor other
// triggers.
//
// The trigger's code is called for one event after the other; the starts run, and are retried,
// concurrently. Pending starts are saved with the position, see [triggerCheckpoint].
type lane struct {
	in       *Inbox
	t        *Trigger
	interest string
	// resumed are the events that were pending when the previous process ended.
	resumed  []pendingEvent
	hung     atomic.Int32 // calls of the trigger's code that have not returned
	rejected atomic.Int64 // events that can't start their runs, since the process began
	// trouble is what keeps the lane from making progress.
	trouble *trouble

	mu sync.Mutex
	// hot means that the feed pushes to the queue. busy is set while an event is considered.
	hot, busy bool
	queue     []domain.Recorded
	queued    int // bytes of payload in the queue
	// read is the position up to which every event was considered.
	read    domain.Position
	pending []*pendingRun // in the order of the log
	byRun   map[domain.RunID]*pendingRun
	bytes   int // of the inputs of what is pending
	changed chan struct{}
}

const (
	// laneQueue and laneQueueBytes bound the events, in number and bytes, that wait in memory for a
	// trigger. Beyond that the trigger reads them from the log.
	laneQueue      = 1_000
	laneQueueBytes = 16 << 20
	// lanePending and lanePendingBytes bound what is pending of one trigger, in number and in bytes
	// of input.
	lanePending      = 1_000
	lanePendingBytes = 32 << 20
	// laneHung is how many calls of a trigger's code may hang before the lane waits.
	laneHung = 4
)

func newLane(in *Inbox, t *Trigger) *lane {
	interest := triggerInterest(t)
	return &lane{in: in, t: t, interest: interest, trouble: &trouble{in: in, t: t, interest: interest},
		byRun: make(map[domain.RunID]*pendingRun), changed: make(chan struct{}, 1)}
}

func (l *lane) wants(e *domain.Recorded) bool {
	return e.Type == l.t.Type && strings.HasPrefix(e.Stream, l.t.StreamPrefix)
}

// push adds an event to the lane's queue, if there is room.
func (l *lane) push(e *domain.Recorded) {
	if !l.wants(e) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.hot || e.Position <= l.read:
	case len(l.queue) >= laneQueue || l.queued > laneQueueBytes:
		l.hot, l.queue, l.queued = false, nil, 0
	default:
		l.queue = append(l.queue, *e)
		l.queued += len(e.Data)
	}
	l.signal()
}

// run starts runs until ctx ends.
func (l *lane) run(ctx context.Context) {
	const reading = "reading"
	_ = again.Until(ctx, 100*time.Millisecond, 10*time.Second, func() error {
		for {
			err := l.resume(ctx)
			if err == nil {
				err = l.catchUp(ctx)
			}
			if err != nil {
				return err
			}
			l.trouble.over(reading)
			l.keepUp(ctx)
			if ctx.Err() != nil {
				return nil
			}
		}
	}, func(err error, _ int, again time.Duration) {
		l.trouble.note(reading, "its events can't be read: "+err.Error())
		l.in.Logger.Error("reading events for a trigger was interrupted, going on", "trigger", l.interest, "in", again, "error", err)
	})
}

// resume considers the events again that were pending when the previous process ended.
func (l *lane) resume(ctx context.Context) error {
	for len(l.resumed) > 0 && ctx.Err() == nil {
		at := l.resumed[0]
		for e, err := range l.in.Log.ReadStream(ctx, at.Stream, at.Revision) {
			if err != nil {
				return fmt.Errorf("read %s: %w", at.Stream, err)
			}
			if e.Revision == at.Revision && l.wants(&e) {
				l.consider(ctx, &e)
			}
			break
		}
		l.mu.Lock()
		l.resumed = l.resumed[1:]
		l.mu.Unlock()
	}
	return ctx.Err()
}

// catchUp reads the log until it reaches the feed. From there on the feed pushes.
func (l *lane) catchUp(ctx context.Context) error {
	filter := domain.Filter{}
	if p := l.t.StreamPrefix; p != "" {
		filter.Prefixes = []string{p}
	}
	for upTo := domain.EndPosition; ; {
		for e, err := range l.in.Log.ReadAll(ctx, l.read, filter) {
			if err != nil {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if e.Position > upTo {
				break
			}
			if isDomainEvent(&e) && l.wants(&e) {
				l.consider(ctx, &e)
			}
			l.considered(e.Position)
		}
		if upTo != domain.EndPosition {
			return ctx.Err()
		}
		l.in.mu.Lock()
		upTo = l.in.seen
		l.mu.Lock()
		l.hot, l.queue, l.queued = true, nil, 0
		l.mu.Unlock()
		l.in.mu.Unlock()
		l.in.Stirred()
	}
}

// keepUp considers the pushed events until the queue has overflowed.
func (l *lane) keepUp(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		hot := l.hot
		var e *domain.Recorded
		if len(l.queue) > 0 {
			e, l.busy = &l.queue[0], true
			l.queue = l.queue[1:]
			l.queued -= len(e.Data)
		}
		l.mu.Unlock()
		switch {
		case !hot:
			return
		case e != nil:
			if e.Position > l.read {
				l.consider(ctx, e)
			}
			l.considered(e.Position)
		default:
			select {
			case <-l.changed:
			case <-ctx.Done():
			}
		}
	}
}

// considered notes that all events up to the position were considered, unless the lane was stopped
// in the middle of one.
func (l *lane) considered(position domain.Position) {
	defer l.in.Stirred()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in.Life.Err() == nil {
		l.read = max(l.read, position)
		l.busy = false
	}
}

// consider asks the trigger's code whether an event starts a run, and starts it.
func (l *lane) consider(ctx context.Context, e *domain.Recorded) {
	p := newPending(l.t.Saga, e)
	wanted, err := l.ask(ctx, e, p)
	if ctx.Err() != nil || err == nil && !wanted {
		return
	}
	p.bad = err
	p.ctx, p.stop = context.WithCancel(l.in.Life)
	if !l.enter(ctx, p) {
		p.stop()
		return
	}
	l.in.changes.Add(1)
	l.in.Go(func(ctx context.Context) {
		l.handle(p)
		p.stop()
		if ctx.Err() == nil {
			l.leave(p)
			l.in.changes.Add(1)
		}
	})
}

// ask asks the trigger's code whether an event starts a run, and with what input. An error, or a
// call that does not return, is a [domain.ErrBadInput]. While too many calls hang, the lane waits:
// each of them keeps a goroutine.
func (l *lane) ask(ctx context.Context, e *domain.Recorded, p *pendingRun) (wanted bool, err error) {
	const hanging = "hanging"
	for waited := 0; l.hung.Load() >= laneHung; waited++ {
		l.trouble.note(hanging, fmt.Sprintf("%d calls of its code have not returned", l.hung.Load()))
		if waited%60 == 0 {
			l.in.Logger.Error("a trigger waits: its code hangs", "trigger", l.interest, "calls", l.hung.Load())
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	l.trouble.over(hanging)
	var settled atomic.Bool // by the call's return or by its being given up, whichever comes first
	said, err := contain.Call(contain.ClosureLimit, func() (a Asked, err error) {
		defer func() {
			if !settled.CompareAndSwap(false, true) {
				l.hung.Add(-1)
			}
		}()
		return l.t.Ask(e)
	})
	if err == nil {
		if p.Asked = said; p.Key != "" {
			p.run = domain.RunIDForKey(l.t.Saga, p.Key)
		}
		return said.Wanted, nil
	}
	if contain.Hung(err) && settled.CompareAndSwap(false, true) {
		l.hung.Add(1)
	}
	how := "the trigger's code failed: "
	if bad := (*contain.MisbehavedError)(nil); errors.As(err, &bad) {
		how = "the trigger's code "
	}
	return false, fmt.Errorf("%w: %s%s", domain.ErrBadInput, how, domain.ShortMessage(l.in.Mask(e, err).Error()))
}
