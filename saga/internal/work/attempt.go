package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/verdict"
)

// attempt runs one attempt and delivers its outcome. It calls entered before the handler. If the
// handler ends the goroutine, attempt can't return its result and passes it to gone.
func (w *Worker) attempt(parent context.Context, t *Task, entered func(), gone func(error)) error {
	a := &attemptState{task: t, logger: w.cfg.Logger, clock: w.cfg.Clock, lastOut: w.cfg.Clock.Steady(), until: w.deadline(t)}
	if !a.until.IsZero() && w.cfg.Clock.Until(a.until) <= 0 {
		return w.deliver(detached(parent), t.uncalled())
	}
	ctx, stop, ok := w.context(parent, a)
	if !ok {
		return ErrShutdown
	}
	defer w.handling.Done()
	a.beat = func(details json.RawMessage) error {
		r := t.report()
		r.Beat, r.Details = true, details
		return w.publish(ctx, r)
	}
	r := t.report()
	conclude := func() error {
		down := errors.Is(context.Cause(ctx), ErrShutdown)
		stop()
		if r.Failure != nil && down {
			// The shutdown cancelled it: the attempt is taken up after the restart.
			return ErrShutdown
		}
		return w.deliver(detached(parent), r)
	}
	returned := false
	defer func() {
		if !returned { // the handler ended this goroutine, so attempt can't return
			gone(conclude())
		}
	}()
	entered()
	w.run(ctx, w.cfg.Actions[t.Action], a, r)
	returned = true
	return conclude()
}

// context makes the handler's context and counts it in w.handling. It refuses once the worker
// stops. A do's context ends when its run turns back, or at shutdown; those of undos, probes and
// failure handlers end only at their deadline.
func (w *Worker) context(parent context.Context, a *attemptState) (context.Context, func(), bool) {
	ctx := context.WithValue(detached(parent), attemptKey{}, a)
	ctx, cancel := context.WithCancelCause(ctx)
	id := a.task.ID()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		cancel(nil)
		return nil, nil, false
	}
	w.running[id] = &handling{cancel: cancel}
	w.handling.Add(1)
	stopTimer := context.CancelFunc(func() {})
	if !a.until.IsZero() {
		ctx, stopTimer = w.cfg.Clock.WithDeadline(ctx, a.until)
		a.deadline, _ = ctx.Deadline()
	}
	return ctx, func() {
		stopTimer()
		cancel(nil)
		w.returned(id)
	}, true
}

// detached returns the context without its end, if it has one.
func detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// run calls the handler and reports what it returns, or that it panicked or ended its goroutine.
func (w *Worker) run(ctx context.Context, code *definition.Action, a *attemptState, r *Report) {
	defer a.end()
	if w.around != nil {
		inner, ended := w.around.began(ctx, AttemptOf(ctx))
		ctx = inner
		defer func() { ended(r.Failure) }()
	}
	returned := false
	defer func() {
		p := recover()
		if p != nil || !returned {
			bad := contain.Exit()
			if p != nil {
				bad = contain.Panic(p)
			}
			r.misbehaved(bad, code)
		}
		r.Failure = maskAttempt(code, a, r.Failure)
	}()
	w.call(ctx, code, a, r)
	returned = true
}

// misbehaved reports a handler that did not return. Its effect is in doubt.
func (r *Report) misbehaved(bad *contain.MisbehavedError, code *definition.Action) {
	r.Output, r.Emitted = nil, nil
	r.Failure = &domain.Failure{Kind: domain.FailureRetryable, Step: r.Step, Message: domain.ShortMessage("the handler " + bad.How), Type: bad.Kind, Stack: bad.Stack}
	r.said(domain.EffectInDoubt, code)
	if r.Direction == domain.Probe {
		r.Verdict = domain.Unknown
	}
}

// call calls the handler and turns what it returns into a report.
func (w *Worker) call(ctx context.Context, code *definition.Action, a *attemptState, r *Report) {
	t := a.task
	var err error
	permanent := code.Permanent
	switch t.Direction {
	case domain.Undo:
		if code.Undo == nil {
			err = verdict.Permanent(fmt.Errorf("action %s has no Undo in this program, but had one when the run was started: restore it", t.Action))
		} else {
			err = code.Undo(ctx, t.did())
		}
		permanent = code.UndoPermanent
	case domain.Probe:
		r.Verdict = domain.Unknown
		if code.Probe != nil {
			r.Verdict, r.Output, err = code.Probe(ctx, t.Input)
		}
	default:
		r.Output, err = code.Do(ctx, t.Input, t.Known)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(r.Output) + a.size; err == nil && n > maxTogether {
		err = &payload.UnrecordableError{Err: fmt.Errorf("the output and the emitted events are %d bytes; at most %d fit one append: store them elsewhere and pass references", n, maxTogether)}
	}
	switch bad, done := err.(*payload.UnrecordableError); {
	case done:
		r.Output = nil
		r.Failure = &domain.Failure{Kind: domain.FailurePermanent, Step: t.Step, Message: domain.ShortMessage(bad.Error()), Type: verdict.TypeOf(bad.Err)}
		r.said(domain.EffectDone, code)
	case err != nil:
		r.Output = nil
		r.Failure = verdict.Failure(err, t.Step, permanent(err))
		r.said(verdict.EffectOf(err, code.FailsCleanly), code)
	default:
		r.Emitted, a.over = a.emitted, true
	}
}

// end makes Emit refuse further events of the handler, or of a goroutine that it left behind.
func (a *attemptState) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

// maxTogether bounds the output and the emitted events of an attempt together, in bytes. The rest
// of the append is for their envelopes.
const maxTogether = domain.MaxAppendSize - 64<<10
