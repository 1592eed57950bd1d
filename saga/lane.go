package saga

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
)

// lane starts the runs of one trigger. It takes what the feed pushes while it keeps up; what it does not keep up with,
// it reads from the log by itself later. So a trigger that has much to do, whose code hangs, or whose runs find no
// place among [Config.MaxRuns], holds up neither the feed nor the others.
//
// Its code is called for one event after the other; the starts wait, and are tried again, side by side. What has not
// come about yet is saved with the position, see [feedCheckpoint].
type lane struct {
	f        *feed
	t        AnyTrigger
	interest string
	saga     string
	version  int
	// resumed are the events that were pending in the life before.
	resumed []pendingEvent
	hung    atomic.Int32 // calls of the trigger's code that have not returned

	mu sync.Mutex
	// hot means that the feed pushes to the queue. busy is set while an event is considered.
	hot, busy bool
	queue     []domain.Recorded
	queued    int // bytes of payload in the queue
	// read is up to where every event was considered.
	read    domain.Position
	pending []*pendingRun // in the order of the log
	byRun   map[domain.RunID]*pendingRun
	bytes   int // of the inputs of what is pending
	changed chan struct{}
}

const (
	// laneQueue and laneQueueBytes are how many events, and bytes of them, wait in memory for a trigger before it reads
	// them from the log.
	laneQueue      = 1_000
	laneQueueBytes = 16 << 20
	// lanePending and lanePendingBytes bound what is pending of one trigger, in number and in bytes of input.
	lanePending      = 1_000
	lanePendingBytes = 32 << 20
	// laneHung is of how many calls of a trigger's code it is borne that they hang.
	laneHung = 4
)

func newLane(f *feed, t AnyTrigger) *lane {
	name, version := t.sagaOf().SagaName()
	return &lane{f: f, t: t, interest: triggerInterest(t), saga: name, version: version,
		byRun: make(map[domain.RunID]*pendingRun), changed: make(chan struct{}, 1)}
}

func (l *lane) wants(e *domain.Recorded) bool {
	return e.Type == l.t.eventType() && strings.HasPrefix(e.Stream, l.t.streamPrefix())
}

// push gives the lane an event, if it keeps up.
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

// signal wakes the lane's goroutine.
func (l *lane) signal() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// run starts runs until ctx ends.
func (l *lane) run(ctx context.Context) {
	for delay := 100 * time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 10*time.Second) {
		err := l.resume(ctx)
		if err == nil {
			err = l.catchUp(ctx)
		}
		if err == nil {
			l.keepUp(ctx)
			delay = 100 * time.Millisecond
			continue
		}
		if ctx.Err() == nil {
			l.f.c.logger.Error("reading events for a trigger was interrupted, going on", "trigger", l.interest, "in", delay, "error", err)
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

// resume considers anew what was pending in the life before.
func (l *lane) resume(ctx context.Context) error {
	for len(l.resumed) > 0 && ctx.Err() == nil {
		at := l.resumed[0]
		for e, err := range l.f.c.log.ReadStream(ctx, at.Stream, at.Revision) {
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

// catchUp reads the log up to where the feed is, from where on that pushes.
func (l *lane) catchUp(ctx context.Context) error {
	filter := domain.Filter{}
	if p := l.t.streamPrefix(); p != "" {
		filter.Prefixes = []string{p}
	}
	for upTo := domain.EndPosition; ; {
		for e, err := range l.f.c.log.ReadAll(ctx, l.read, filter) {
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
		l.f.mu.Lock()
		upTo = l.f.seen
		l.mu.Lock()
		l.hot, l.queue, l.queued = true, nil, 0
		l.mu.Unlock()
		l.f.mu.Unlock()
	}
}

// keepUp considers what the feed pushes until that was too much.
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

// considered notes that every event up to the position was, unless the lane is stopped in the middle of one.
func (l *lane) considered(position domain.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f.c.life.Err() == nil {
		l.read = max(l.read, position)
		l.busy = false
	}
}

// consider asks the trigger's code whether an event is to start a run, and with what, and has that done.
func (l *lane) consider(ctx context.Context, e *domain.Recorded) {
	ev := eventOf(e)
	p := &pendingRun{event: ev, at: pendingEvent{e.Stream, e.Revision}, run: domain.RunIDForEvent(l.saga, ev.ID)}
	p.event.Data = nil
	matches, err := called(ctx, l, func() (bool, error) { return l.t.matches(&ev), nil })
	if err == nil && matches {
		p.asked, err = called(ctx, l, func() (asked, error) { return l.t.asks(&ev) })
		if p.key != "" {
			p.run = domain.RunIDForKey(l.saga, p.key)
		}
	}
	if ctx.Err() != nil || err == nil && !matches {
		return
	}
	p.bad = err
	p.ctx, p.stop = context.WithCancel(l.f.c.life)
	if !l.enter(ctx, p) {
		p.stop()
		return
	}
	l.f.changes.Add(1)
	l.f.c.goBackground(func(ctx context.Context) {
		l.handle(p)
		p.stop()
		if ctx.Err() == nil {
			l.leave(p)
			l.f.changes.Add(1)
		}
	})
}

// called calls the trigger's code. An error, or that it does not return, is an [ErrBadInput]. While too many calls hang,
// the trigger waits: each of them keeps a goroutine.
func called[T any](ctx context.Context, l *lane, f func() (T, error)) (value T, err error) {
	for waited := 0; l.hung.Load() >= laneHung; waited++ {
		if waited%60 == 0 {
			l.f.c.logger.Error("a trigger waits: its code hangs", "trigger", l.interest, "calls", l.hung.Load())
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return value, ctx.Err()
		}
	}
	var settled atomic.Bool // by the return of the call, or by giving it up, whichever is first
	value, failure := contain.Closure(nil, "", func() (T, error) {
		defer func() {
			if !settled.CompareAndSwap(false, true) {
				l.hung.Add(-1)
			}
		}()
		return f()
	})
	if failure == nil {
		return value, nil
	}
	if failure.Type == contain.Hangs && settled.CompareAndSwap(false, true) {
		l.hung.Add(1)
	}
	return value, fmt.Errorf("%w: %s", ErrBadInput, failure.Message)
}

// progress tells how far the lane came, where the feed has seen everything up to the position.
func (l *lane) progress(seen domain.Position) feedCheckpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := feedCheckpoint{Position: l.read}
	if l.hot && !l.busy && len(l.queue) == 0 {
		p.Position = max(l.read, seen)
	}
	p.Pending = append(p.Pending, l.resumed...)
	for _, r := range l.pending {
		if !slices.Contains(p.Pending, r.at) {
			p.Pending = append(p.Pending, r.at)
		}
	}
	return p
}

// oldest returns the position of the oldest event that may still start a run.
func (l *lane) oldest() domain.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := domain.EndPosition
	if !l.hot || l.busy || len(l.queue) > 0 || len(l.resumed) > 0 {
		oldest = l.read
	}
	for _, p := range l.pending {
		oldest = min(oldest, p.event.Position)
	}
	return oldest
}
