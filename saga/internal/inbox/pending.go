package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
	"github.com/atonehq/atone/saga/rejected"
)

// pendingRun is a run that an event starts and that has not started yet.
type pendingRun struct {
	event       domain.Recorded // without its payload
	correlation string
	at          pendingEvent
	run         domain.RunID
	Asked
	bad error // why the event can't start a run
	// ctx ends when another node has started the run, or when the coordinator stops.
	ctx  context.Context
	stop context.CancelFunc
}

// newPending is what an event may start. It keeps none of the event's payload.
func newPending(saga string, e *domain.Recorded) *pendingRun {
	p := &pendingRun{event: *e, at: pendingEvent{e.Stream, e.Revision}, run: domain.RunIDForEvent(saga, e.ID), correlation: correlationOf(e)}
	p.event.Data, p.event.Metadata = nil, nil
	return p
}

// enter adds a pending run as soon as there is room.
func (l *lane) enter(ctx context.Context, p *pendingRun) bool {
	for {
		l.mu.Lock()
		if l.byRun[p.run] != nil {
			l.mu.Unlock()
			return false
		}
		if len(l.pending) < lanePending && (l.bytes == 0 || l.bytes+len(p.Input) <= lanePendingBytes) {
			l.pending = append(l.pending, p)
			l.byRun[p.run] = p
			l.bytes += len(p.Input)
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
	defer l.in.Stirred()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = slices.DeleteFunc(l.pending, func(o *pendingRun) bool { return o == p })
	delete(l.byRun, p.run)
	l.bytes -= len(p.Input)
	l.signal()
}

// started is called for every run that starts, so that this node does not repeat another node's
// start.
func (l *lane) started(run domain.RunID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.byRun[run]; p != nil {
		p.stop()
	}
}

// handle starts a run, or records why it can't be started. It returns when that is done, or when
// another node has done it.
func (l *lane) handle(p *pendingRun) {
	wait := l.in.Delay(p.run, "")
	late := wait > 0 // another node is to act first
	what := "start of " + p.run.String()
	defer l.trouble.over(what)
	if late {
		select {
		case <-time.After(wait):
		case <-p.ctx.Done():
		}
	}
	_ = again.Until(p.ctx, 100*time.Millisecond, 10*time.Second, func() error {
		if p.ctx.Err() != nil || late && l.in.Shared && l.in.exists(p.ctx, p.run) {
			return nil
		}
		late = true
		err := p.bad
		if err == nil {
			err = l.start(p)
		}
		if errors.Is(err, domain.ErrBadInput) {
			p.bad = err
			err = l.passOver(p)
		}
		return err
	}, func(err error, failed int, again time.Duration) {
		l.trouble.note(what, "an event can't start its run: "+err.Error())
		if failed == 1 || failed%10 == 0 {
			l.in.Logger.Error("the run of an event can't be started, trying again", "event", p.event.ID, "trigger", l.interest, "in", again, "error", err)
		}
	})
}

// exists reports whether a run has begun.
func (in *Inbox) exists(ctx context.Context, run domain.RunID) bool {
	for _, err := range in.Log.ReadStream(ctx, domain.RunStream(run), 0) {
		return err == nil
	}
	return false
}

// start starts the run that an event asks for. If the event's content makes that impossible, the
// error is a [domain.ErrBadInput].
func (l *lane) start(p *pendingRun) error {
	e, in := &p.event, l.in
	plan, err := in.Start(p.ctx, &Start{Run: p.run, Saga: l.t.Saga, Version: l.t.Version, Asked: p.Asked, Correlation: p.correlation,
		Trigger: domain.TriggerRef{Stream: e.Stream, Event: e.ID.String(), Type: e.Type, Position: e.Position}})
	if err != nil {
		return err
	}
	if types := in.Awaiting[plan]; types != nil {
		in.mu.Lock()
		// Before the events that it may want can be dropped.
		in.index.Begin(p.run, e.Position, types)
		in.mu.Unlock()
	}
	return nil
}

// passOver records that an event can't start its run.
func (l *lane) passOver(p *pendingRun) error {
	e := &p.event
	why := whyRejected(p.bad)
	news, err := l.in.Reject(p.ctx, &rejected.Event{Event: e.ID, Type: e.Type, Stream: e.Stream, Revision: e.Revision, Position: e.Position,
		Saga: l.t.Saga, Version: l.t.Version, Error: why})
	if err == nil && news {
		l.tellRejected(p, why)
		l.in.Logger.Error("an event can't start its saga: it is in the list of rejected events", "event", e.ID, "type", e.Type, "stream", e.Stream, "saga", l.t.Saga, "error", why)
	}
	return err
}

// whyRejected says why an event can't start its run.
func whyRejected(err error) string {
	return strings.TrimPrefix(err.Error(), domain.ErrBadInput.Error()+": ")
}

// tellRejected counts an event that can't start its run, and sends an alert for the first, the
// tenth, the hundredth and so on of this process: a program that emits nothing but such events
// should not fill a pager.
func (l *lane) tellRejected(p *pendingRun, why string) {
	n := l.rejected.Add(1)
	for n%10 == 0 {
		n /= 10
	}
	if n != 1 {
		return
	}
	text := fmt.Sprintf("an event of type %s can't start saga %s: %s; it is number %d since this process began, and waits in the list of rejected events until somebody retries or dismisses it",
		l.t.Type, l.t.Saga, domain.CutText(why, maxTold), l.rejected.Load())
	l.in.Notify(domain.Alert{ID: fmt.Sprintf("%s/rejected/%s", l.interest, p.event.ID), Kind: domain.AlertRejected, Saga: l.t.Saga, Version: l.t.Version, At: time.Now(),
		Cause: &domain.Failure{Kind: domain.FailurePermanent, Message: domain.ShortMessage(text)}})
}

// maxTold bounds what an alert says of the reason, in bytes.
const maxTold = 1000

// signal wakes the lane's goroutine.
func (l *lane) signal() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}
