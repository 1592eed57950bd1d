package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/timers"
	"github.com/atonehq/atone/saga/machine"
)

// turnTries bounds how often a turn is decided again because another process wrote first.
const turnTries = 50

// turn decides on a batch of requests and makes the events durable. It returns false if it could
// not; each request then has its error.
func (a *actor) turn(batch []*request) bool {
	defer func() { a.hung = nil }()
	for try := 1; ; try++ {
		err := a.safeTurn(batch)
		if err == nil {
			break
		}
		if errors.Is(err, errStale) {
			a.unload()
			continue // at most once for each of the run's steps
		}
		if errors.Is(err, errAlreadyStarted) {
			batch[0].err = err
			return false
		}
		a.unload()
		if errors.Is(err, domain.ErrConflict) {
			a.engine.Counts.Conflicts.Add(1)
			if try < turnTries && batch[0].start == nil {
				continue
			}
		}
		for _, r := range batch {
			r.err = err
		}
		a.lookAgain(batch, err)
		return false
	}
	if first := batch[0]; first.start != nil {
		a.placed, a.family = first.admitted, familyOf(a.id, first.start)
	}
	return true
}

// safeTurn is takeTurn, but returns a panic (a defect of atone or of the log) as an error of
// this run alone.
func (a *actor) safeTurn(batch []*request) (err error) {
	t := turnState{a: a}
	defer func() {
		if p := recover(); p != nil {
			t.giveBackUnstarted()
			bad := contain.Panic(p)
			a.engine.cfg.Logger.Error("a turn of a run panicked: this is a defect", "run", a.id, "panic", bad, "stack", bad.Stack)
			err = fmt.Errorf("run %s: its turn %w: this is a defect", a.id, bad)
		}
	}()
	return a.takeTurn(&t, batch)
}

// takeTurn loads the run if need be, decides, appends, and performs what is owed. The error
// is a conflict, or that nothing could be read or written.
func (a *actor) takeTurn(t *turnState, batch []*request) error {
	ctx := a.engine.cfg.Life
	first, cached := batch[0], false
	a.progressed = false
	switch {
	case first.start != nil && a.State != nil:
		return errAlreadyStarted
	case first.start != nil: // the append itself finds out whether the run exists
		a.State, a.def = machine.New(first.plan.Plan, a.id), first.plan
		a.Hash, a.LastID = domain.ChainHash{}, uuid.Nil
		a.Since = 0
	default:
		for _, r := range batch {
			if a.State != nil && (r.recover || a.written.Load() > a.State.Revision) {
				a.unload()
			}
		}
		cached = a.State != nil
		if err := a.load(ctx); err != nil {
			return err
		}
	}
	if a.memo == nil {
		a.memo = new(payload.Memo)
	}
	*t = turnState{a: a, now: a.reckon(), ctx: first.ctx, events: make([]decided, 0, 4)}
	if first.start != nil {
		t.now = a.engine.startTime(t.now)
		t.add(first.start)
	}
	if !cached && first.start == nil && a.engine.cfg.OnDemand && !a.engine.cfg.Shared {
		t.ctx = By{Actor: a.engine.cfg.Node}
		t.recoverRun(false) // nobody else does: this coordinator did not take up the log's runs
	}
	for _, r := range batch {
		if r.recover {
			t.ctx = r.ctx
			t.recoverRun(r.heard)
		}
		if u := r.unstartable; u != nil {
			a.note(u)
		}
		t.asked = t.asked || r.asks()
		if r.intent == nil {
			continue
		}
		t.ctx = r.ctx
		if r.err = a.fits(r.intent); r.err != nil {
			continue
		}
		r.err = t.decide(r.intent)
		if errors.Is(r.err, machine.ErrStale) {
			r.err = nil
		}
	}
	if cached && a.engine.cfg.Shared && len(t.events) == 0 && refused(batch) {
		a.unload() // the state may be old, and no append will find out
		return a.takeTurn(t, batch)
	}
	for {
		more := t.answerOwed()
		if t.stale {
			t.giveBackUnstarted()
			return errStale
		}
		if err := t.append(ctx); err != nil {
			t.giveBackUnstarted()
			return err
		}
		if !more {
			return nil
		}
	}
}

// fits returns an error for a signal that no await of the run's plan takes, unless it is to be
// kept, and for one whose payload the run's code can't read. Without the code it accepts any
// payload.
func (a *actor) fits(in machine.Intent) error {
	s, ok := in.(machine.Signal)
	if !ok || a.State.Plan == nil || a.State.Status().Ended() {
		return nil
	}
	if err := explain.CheckSignal(a.State, s); err != nil && !s.Keep {
		return err
	}
	def := a.def
	if def == nil {
		return nil
	}
	_, err := contain.Call(contain.ClosureLimit, func() (any, error) { return nil, def.TakesSignal(s.Name, s.Value) })
	if bad := (*contain.MisbehavedError)(nil); errors.As(err, &bad) {
		return fmt.Errorf("%w: signal %s: the code that reads its type %w", domain.ErrBadInput, s.Name, bad)
	}
	return secret.MaskError(def.Plan.Secrets(), s.Value, err)
}

func refused(batch []*request) bool {
	return slices.ContainsFunc(batch, func(r *request) bool { return r.err != nil })
}

var errAlreadyStarted = errors.New("the run exists")

// errGivenUp is why an attempt is cancelled when another coordinator takes over its run.
var errGivenUp = errors.New("another coordinator gave this attempt up")

// giveBackUnstarted gives back the places of attempts whose start was not appended.
func (t *turnState) giveBackUnstarted() {
	for _, d := range t.events {
		if e, ok := d.event.(*domain.AttemptStarted); ok {
			t.a.giveBackAttempt(e.Step, e.Direction, e.Attempt)
		}
	}
}

// lookAgain reschedules the run: its turn failed, and no one else knows what it still owes. A start
// that wrote nothing is left to its caller, who may repeat it. A run that can't be read waits for a
// program that can read it.
func (a *actor) lookAgain(batch []*request, err error) {
	delay := timers.OverdueDelay
	if a.engine.IsUnreadable(a.id, err) {
		delay = unreadableDelay
		a.giveBackPlace()
		for _, r := range batch {
			if o, ok := r.intent.(machine.Outcome); ok {
				a.giveBackAttempt(o.Step, o.Direction, o.Attempt)
			}
		}
	}
	if batch[0].start == nil {
		a.engine.cfg.Wakeups.Again(a.id, delay)
	} else if a.progressed {
		a.engine.cfg.Wakeups.Set(a.id, domain.Wake{State: domain.RunRunning, Busy: true, Due: a.engine.cfg.Clock.Now().Add(timers.OverdueDelay)}, false)
	}
}
