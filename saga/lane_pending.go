package saga

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// pendingRun is a run that an event is to start.
type pendingRun struct {
	event Event
	at    pendingEvent
	run   domain.RunID
	asked
	bad error // why the event can't start a run
	// ctx ends when another node started it, which is what there is to stop for, or with the coordinator.
	ctx  context.Context
	stop context.CancelFunc
}

// enter makes a run pending once there is room.
func (l *lane) enter(ctx context.Context, p *pendingRun) bool {
	for {
		l.mu.Lock()
		if l.byRun[p.run] != nil {
			l.mu.Unlock()
			return false
		}
		if len(l.pending) < lanePending && (l.bytes == 0 || l.bytes+len(p.input) <= lanePendingBytes) {
			l.pending = append(l.pending, p)
			l.byRun[p.run] = p
			l.bytes += len(p.input)
			l.mu.Unlock()
			return true
		}
		l.mu.Unlock()
		select {
		case <-l.changed:
		case <-ctx.Done():
			return false
		}
	}
}

func (l *lane) leave(p *pendingRun) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = slices.DeleteFunc(l.pending, func(o *pendingRun) bool { return o == p })
	delete(l.byRun, p.run)
	l.bytes -= len(p.input)
	l.signal()
}

// started is told of every run that starts: what another node did is not done again.
func (l *lane) started(run domain.RunID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.byRun[run]; p != nil {
		p.stop()
	}
}

// handle starts a run, or records why it can't be started. It returns when that is done, or not to be done here.
func (l *lane) handle(p *pendingRun) {
	delay := time.Duration(0)
	if c := l.f.c; c.cfg.Shared {
		delay = c.cluster.Delay(p.run, "")
	}
	for tries := 1; ; tries++ {
		if delay > 0 {
			select {
			case <-time.After(delay):
			case <-p.ctx.Done():
			}
		}
		if p.ctx.Err() != nil || delay > 0 && l.f.c.cfg.Shared && l.f.exists(p.ctx, p.run) {
			return
		}
		err := p.bad
		if err == nil {
			err = l.start(p)
		}
		if errors.Is(err, ErrBadInput) {
			p.bad = err
			err = l.passOver(p)
		}
		if err == nil {
			return
		}
		delay = min(max(2*delay, 100*time.Millisecond), 10*time.Second)
		if p.ctx.Err() == nil && (tries == 1 || tries%10 == 0) {
			l.f.c.logger.Error("the run of an event can't be started, trying again", "event", p.event.ID, "trigger", l.interest, "in", delay, "error", err)
		}
	}
}

// exists reports whether a run has begun.
func (f *feed) exists(ctx context.Context, run domain.RunID) bool {
	for _, err := range f.c.log.ReadStream(ctx, domain.RunStream(run), 0) {
		return err == nil
	}
	return false
}

// start starts the run that an event asks for. Where that can't be for what the event holds, the error is an
// [ErrBadInput].
func (l *lane) start(p *pendingRun) error {
	e, f := &p.event, l.f
	_, err := f.c.StartByName(WithActor(p.ctx, "trigger "+e.Type), l.saga, l.version, p.input, func(o *startOptions) {
		o.id, o.key, o.labels = p.run, p.key, p.labels
		o.trigger = &domain.TriggerRef{Stream: e.Stream, Event: e.ID.String(), Type: e.Type, Position: e.Position}
		o.correlation, o.causation = e.CorrelationID, e.ID.String()
	})
	if err != nil && !errors.Is(err, ErrKeyConflict) { // with that the run exists; the trigger's code has changed since
		return err
	}
	if p.key != "" { // an earlier event may have started it
		if v, err := f.c.Describe(p.ctx, p.run); err != nil || v.State.Ended() {
			return err
		}
	}
	if d, err := f.c.registry.Saga(l.saga, l.version); err == nil {
		if types := f.awaiting[d.Plan.Hash()]; types != nil {
			f.mu.Lock()
			f.index.Begin(p.run, e.Position, types) // before what is kept for it may be dropped
			f.mu.Unlock()
		}
	}
	return nil
}

// passOver records that an event can't start its run.
func (l *lane) passOver(p *pendingRun) error {
	e := &p.event
	data, err := json.Marshal(triggerFailed{Stream: e.Stream, Event: e.ID, Type: e.Type, Saga: l.saga, Error: p.bad.Error()})
	if err != nil {
		return err
	}
	_, err = l.f.c.log.Append(p.ctx, feedStream, domain.AnyRevision,
		domain.NewEvent{ID: uuid.NewSHA1(planSpace, append(e.ID[:], l.saga...)), Type: triggerFailedType, Data: data})
	if err == nil {
		l.f.c.logger.Error("an event can't start its saga", "event", e.ID, "type", e.Type, "stream", e.Stream, "saga", l.saga, "error", p.bad)
	}
	return err
}
