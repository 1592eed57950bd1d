package saga

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/work"
	"github.com/atonehq/atone/saga/machine"
)

// append makes the decided events durable and performs what they ask for. Every prefix of a
// run's events is a state from which the run goes on, so a batch that is over an append's limit is
// written as several.
func (t *turnState) append(ctx context.Context) error {
	a := t.a
	for len(t.events) > 0 {
		sealed, hash, last, n, err := t.seal()
		if err != nil {
			return err
		}
		first := a.state.Revision - int64(len(t.events)) + 1
		began := time.Now()
		if err := a.c.persevere(ctx, a.stream, domain.Expected(first-1), sealed...); err != nil {
			return err
		}
		took := time.Since(began)
		a.hash, a.lastID = hash, last
		a.sinceSnapshot += n
		a.progressed = true
		a.c.stats.Appends.Add(1)
		a.c.stats.Events.Add(int64(n))
		done := t.events[:n]
		t.events = t.events[n:]
		t.perform(done)
		a.expectSiblings(done, took)
	}
	t.events, t.size = nil, 0
	return nil
}

// sealedRest is about how many bytes of an event in an append [eventSize] does not count.
const sealedRest = 200

// seal writes as many of the decided events as fit one append.
func (t *turnState) seal() (sealed []domain.NewEvent, hash domain.ChainHash, last uuid.UUID, n int, err error) {
	a := t.a
	hash, last = a.hash, a.lastID
	revision := uint64(a.state.Revision - int64(len(t.events)) + 1)
	sealed = make([]domain.NewEvent, 0, len(t.events))
	correlation, trace := a.state.Correlation, a.state.Trace
	size, whole := 0, 0 // whole is up to where events belong together
	cause := ""
	if last != uuid.Nil {
		cause = last.String()
	}
	prev := hash
	buf := make([]byte, 0, t.size+sealedRest*len(t.events))
	for i, d := range t.events {
		m := domain.Meta{CorrelationID: correlation, CausationID: cmp.Or(d.ctx.causation, cause), At: t.now, Actor: d.ctx.actor, Clock: d.clock}
		if i == 0 && revision == 0 {
			m.Trace = trace
		}
		if i == len(t.events)-1 {
			m.Wake = a.wake()
		}
		e, h, written := domain.AppendSealed(buf, a.stream, revision+uint64(i), prev, d.event, m)
		buf = written
		if size += e.Size(); size > domain.MaxAppendSize && whole > 0 {
			return sealed[:whole], hash, last, whole, nil
		}
		if size > domain.MaxAppendSize {
			return nil, hash, last, 0, fmt.Errorf("run %s: a single %s event is %d bytes: %w", a.id, e.Type, e.Size(), domain.ErrTooLarge)
		}
		sealed = append(sealed, e)
		prev = h
		if i == 0 && len(t.events) > 1 {
			cause = e.ID.String() // the rest of the batch follows from its first event
		}
		if _, emitted := d.event.(*domain.DomainEvent); !emitted {
			hash, last, whole = h, e.ID, i+1
		}
	}
	return sealed, hash, last, len(sealed), nil
}

// persevere appends to a stream. While the log's answer is unknown the identical batch is tried again, until
// ctx ends: the same write twice is one write.
func (c *Coordinator) persevere(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) error {
	for delay, tries := 5*time.Millisecond, 1; ; delay, tries = min(2*delay, 2*time.Second), tries+1 {
		_, err := c.log.Append(ctx, stream, expected, events...)
		if err == nil {
			return nil
		}
		if tries > 1 && errors.Is(err, domain.ErrConflict) && c.written(ctx, stream, expected, events) {
			return nil
		}
		for _, final := range [...]error{domain.ErrConflict, domain.ErrTooLarge, domain.ErrStreamDeleted, domain.ErrAccessDenied, domain.ErrClosed, domain.ErrFailed} {
			if errors.Is(err, final) {
				if final == domain.ErrFailed || final == domain.ErrClosed {
					c.fail(fmt.Errorf("append to %s: %w", stream, err))
				}
				return err
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("append to %s: %w", stream, err)
		}
		c.logger.Warn("append failed, trying the same again", "stream", stream, "in", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return fmt.Errorf("append to %s: %w", stream, err)
		}
	}
}

// written reports whether the events stand in the stream where they were to be appended: whether a
// conflict is with our own write, whose answer was lost. What they ask for is then ours to perform,
// and nobody else would.
func (c *Coordinator) written(ctx context.Context, stream string, expected domain.Expected, events []domain.NewEvent) bool {
	n := 0
	for r, err := range c.log.ReadStream(ctx, stream, uint64(expected+1)) {
		if err != nil || n == len(events) || r.ID != events[n].ID {
			break
		}
		n++
	}
	return n == len(events)
}

// perform does what durable events ask for.
func (t *turnState) perform(events []decided) {
	a := t.a
	for _, d := range events {
		switch e := d.event.(type) {
		case *domain.AttemptStarted:
			a.dispatch(e)
		case *domain.AttemptSucceeded:
			a.letGo(e.Step, e.Direction, e.Attempt)
		case *domain.AttemptFailed:
			a.letGo(e.Step, e.Direction, e.Attempt)
			if e.Cause.Kind == domain.FailureTimedOut || e.Cause.Kind == domain.FailureLost {
				a.c.worker.Cancel(a.attempt(e.Step, e.Direction, e.Attempt), context.DeadlineExceeded)
			}
		case *domain.StepProbed:
			a.letGo(e.Step, domain.Probe, e.Attempt)
		case *domain.RunTurnedBack:
			a.state.InFlight(a.stopCancelled)
		case *domain.ItemFailed:
			a.state.InFlightIn(e.Step, e.Item, a.stopCancelled)
		case *domain.RunAbandoned:
			a.leaveAttempts()
			a.tellParent()
		case *domain.ChildStarted:
			a.c.startChild(a.childOf(e.Step))
		case *domain.ChildTurnedBack:
			a.c.turnChildBack(a.childOf(e.Step), e.Cause)
		case *domain.RunCompleted, *domain.RunCompensated, *domain.RunCancelled:
			a.tellParent()
		}
	}
}

// stopCancelled cancels an attempt whose outcome will be undone.
func (a *actor) stopCancelled(f machine.Attempt) {
	if f.Cancelled {
		a.c.worker.Cancel(a.attempt(f.Step.Path, f.Direction, f.Number), ErrRunTurnedBack)
	}
}

// leaveAttempts gives back the slots of an abandoned run's attempts and cancels its dos. Undos end by themselves (rule
// 12), and failure handlers go on.
func (a *actor) leaveAttempts() {
	for id, s := range a.held {
		if id.Direction == domain.Handler {
			continue
		}
		if id.Direction == domain.Do {
			a.c.worker.Cancel(id, ErrRunTurnedBack)
		}
		a.freePlace(id, s)
	}
}

// letGo gives back the slot of an attempt that has an outcome.
func (a *actor) letGo(step string, dir domain.Direction, n int) {
	id := a.attempt(step, dir, n)
	if s := a.held[id]; s != nil {
		a.freePlace(id, s)
	}
}

// dispatch sends an attempt to its worker, unless its outcome is known already.
func (a *actor) dispatch(e *domain.AttemptStarted) {
	st := a.state.Step(e.Step)
	if st == nil {
		return
	}
	spec := st.Node.Action
	t := &work.Task{
		Run: a.id, Saga: a.state.Start.Saga, Step: e.Step, Action: e.Action, Direction: e.Direction, Attempt: e.Attempt,
		Key: domain.IdempotencyKey(a.id, e.Step, e.Direction), Input: st.Input, Known: a.memo.Known(st.Input), Due: e.Due, Beat: spec.HeartbeatTimeout,
		Details: st.Do.Details, Trace: a.state.Trace, Node: e.Node, Secret: a.state.Plan.Secrets(),
	}
	if !e.Due.IsZero() {
		t.End = time.Now().Add(a.c.clock.Until(e.Due.Add(-a.stepped)))
	}
	if e.Direction == domain.Probe {
		t.Key = domain.IdempotencyKey(a.id, e.Step, domain.Do) // it asks about the do
	}
	if e.Direction == domain.Undo {
		t.Key = a.state.UndoKey(st)
		t.Output, t.InDoubt, t.Cause, t.Details = st.Output, st.InDoubt, a.state.UndoCause(st), st.Undo.Details
		if len(t.Output) == 0 {
			t.Output = st.Late
		}
	}
	a.c.send(t)
}
