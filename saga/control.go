package saga

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/desk"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/bulk"
	"github.com/atonehq/atone/saga/internal/holds"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// operate has a person's intent decided. Their words must fit all events that they are kept in.
func (c *Coordinator) operate(ctx context.Context, what string, id domain.RunID, words string, in machine.Intent) error {
	if err := errors.Join(accept.Text("the reason", words), checkActor(ctx)); err != nil {
		return fmt.Errorf("%w: %s run %s: %w", ErrBadInput, what, id, err)
	}
	if err := c.awaitReady(ctx); err != nil {
		return err
	}
	by := c.by(ctx)
	by.Actor = cmp.Or(by.Actor, c.cfg.Node)
	submit := func() error { return c.engine.Submit(ctx, id, in, by) }
	if err := bulk.Submit(ctx, c.runs, id, in, c.clock.Now(), submit); err != nil && !bulk.Repeats(ctx, err) {
		return fmt.Errorf("%s run %s: %w", what, id, err)
	}
	return nil
}

// describe is [Coordinator.Describe], save that it takes up no run where nothing is to be done.
func (c *Coordinator) describe(ctx context.Context, id domain.RunID) (explain.Run, error) {
	if c.cfg.OnDemand || bulk.Dry(ctx) {
		return c.StateAt(ctx, id, Latest)
	}
	return c.Describe(ctx, id)
}

// OnUnchanged has acts that change nothing, which are no errors, call tell with the reason.
func OnUnchanged(ctx context.Context, tell func(string)) context.Context {
	return domain.OnAlready(ctx, tell)
}

// Cancel turns the run back: every effect is undone, and the run ends cancelled. While an
// irreversible attempt is in flight the cancel waits for its outcome. Errors: [ErrEnded],
// [ErrPastPivot], [ErrTurnedBack], [ErrNotFound].
func (c *Coordinator) Cancel(ctx context.Context, id domain.RunID, reason string) error {
	return c.operate(ctx, "cancel", id, reason, machine.Cancel{Reason: reason})
}

// Pause stops the run from starting anything new. Attempts in flight go on to their end.
func (c *Coordinator) Pause(ctx context.Context, id domain.RunID, reason string) error {
	return c.operate(ctx, "pause", id, reason, machine.Pause{Reason: reason})
}

// Resume lets a paused run go on. Errors: [ErrEnded], [ErrNotFound].
func (c *Coordinator) Resume(ctx context.Context, id domain.RunID, reason string) error {
	return c.operate(ctx, "resume", id, reason, machine.Resume{Reason: reason})
}

// Retry gives a stuck step, or with an empty step every stuck one, a new set of attempts. Errors:
// [ErrNotStuck], [ErrNoStep].
func (c *Coordinator) Retry(ctx context.Context, id domain.RunID, step, reason string) error {
	return c.operate(ctx, "retry", id, reason, machine.Retry{Step: step, Reason: reason})
}

// Skip settles a stuck step, or every stuck one, as having no effect; a step that is stuck in its
// undo counts as undone. Errors are those of Retry.
func (c *Coordinator) Skip(ctx context.Context, id domain.RunID, step, reason string) error {
	return c.operate(ctx, "skip step of", id, reason, machine.Resolve{Step: step, How: domain.ResolveSkip, Reason: reason})
}

// Substitute settles a stuck step as done with the given output. Errors are those of Retry,
// and [ErrBadInput] for an output that is not JSON or does not fit the action's type.
func (c *Coordinator) Substitute(ctx context.Context, id domain.RunID, step string, output json.RawMessage, reason string) error {
	if len(output) == 0 {
		return fmt.Errorf("%w: there is no output to substitute: give JSON", ErrBadInput)
	}
	if err := accept.Payload("the output to substitute", output); err != nil {
		return fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	output = bytes.Clone(output)
	v, err := c.describe(ctx, id)
	if err != nil {
		return fmt.Errorf("substitute output in run %s: %w", id, err)
	}
	for _, st := range v.Steps {
		code := c.registry.Action(st.Action)
		if st.Path != step && step != "" || code == nil || st.Incident == "" {
			continue
		}
		if err := code.Output.Check(output); err != nil {
			return fmt.Errorf("%w: the output of %s: %w", ErrBadInput, st.Path, secret.MaskError(code.Secrets.Names, output, err))
		}
	}
	return c.operate(ctx, "substitute output in", id, reason, machine.Resolve{Step: step, How: domain.ResolveSubstitute, Output: output, Reason: reason})
}

// Abandon closes the run with its effects left, which are listed in its last event. A reason is
// required. Errors: [ErrEnded].
func (c *Coordinator) Abandon(ctx context.Context, id domain.RunID, reason string) error {
	if reason == "" {
		return fmt.Errorf("%w: abandoning a run needs a reason", ErrBadInput)
	}
	return c.operate(ctx, "abandon", id, reason, machine.Abandon{Reason: reason})
}

// HoldRequest asks for a hold of an action, see [Coordinator.Hold].
type HoldRequest = holds.Request

// Hold stops an action: on every coordinator of the log no do of it, no probe and no failure
// handler starts, and no undo where the request says so, until [Coordinator.Release]. What has
// started goes on. A step that is held uses up no attempt, and its run takes no place among
// [Config.MaxRuns]. Other coordinators hear of a hold as fast as the log tells them. Errors:
// [ErrHeld], [ErrUnknownAction], [ErrBadInput], [ErrNotRunning].
func (c *Coordinator) Hold(ctx context.Context, req HoldRequest) (explain.Hold, error) {
	err := c.acceptHold(ctx, req.Action, req.Reason)
	if err == nil && !req.Anyway {
		_, err = c.registry.Single(req.Action)
	}
	if err != nil {
		return explain.Hold{}, fmt.Errorf("hold: %w", err)
	}
	return c.holds.Hold(ctx, &req, cmp.Or(actorOf(ctx), c.cfg.Node))
}

// Release lets an action that is held start again, and returns the hold that ended. Errors:
// [ErrNotHeld], [ErrBadInput], [ErrNotRunning].
func (c *Coordinator) Release(ctx context.Context, action, reason string) (explain.Hold, error) {
	if err := c.acceptHold(ctx, action, reason); err != nil {
		return explain.Hold{}, fmt.Errorf("release: %w", err)
	}
	return c.holds.Release(ctx, action, cmp.Or(actorOf(ctx), c.cfg.Node), reason)
}

// Holds lists the actions that are held, by name.
func (c *Coordinator) Holds() []explain.Hold { return c.holds.List() }

// HoldOf implements [explain.Surroundings].
func (c *Coordinator) HoldOf(action string, undo bool) *explain.Hold { return c.holds.Of(action, undo) }

func (c *Coordinator) acceptHold(ctx context.Context, action, reason string) error {
	if err := errors.Join(holds.Accept(action, reason), checkActor(ctx)); err != nil {
		return fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	return c.awaitReady(ctx)
}

// Desk takes what people do about incidents besides the levers: notes, assignees and snoozes.
func (c *Coordinator) Desk() *desk.Desk { return c.desk }

// SignalOption adjusts a signal. The zero value sets nothing.
type SignalOption struct{ apply func(*machine.Signal) }

// SignalID makes a signal idempotent: a second signal with the same id to the same run does
// nothing. Signals with an empty id all count.
func SignalID(id string) SignalOption {
	return SignalOption{func(s *machine.Signal) { s.ID = cmp.Or(id, s.ID) }}
}

// Keep sends a signal that no await of the run's plan takes: it is kept for one of a later plan.
func Keep() SignalOption { return SignalOption{func(s *machine.Signal) { s.Keep = true }} }

// Signal delivers a named signal with a JSON-able payload to the run. If nothing awaits it yet, it
// is kept for the first await that does. A name that no await of the run's plan takes is refused
// with [ErrBadInput] (see [Keep]), and a payload that does not fit any await of that name. Other
// errors: [ErrEnded], [ErrNotFound].
func (c *Coordinator) Signal(ctx context.Context, id domain.RunID, name string, value any, opts ...SignalOption) error {
	raw, err := payload.EncodeOwn("the signal's payload", value)
	if err != nil {
		return fmt.Errorf("%w: signal %.100q: %w", ErrBadInput, name, err)
	}
	in := machine.Signal{Name: name, ID: uuid.NewString(), Value: raw}
	for _, o := range opts {
		if o.apply != nil {
			o.apply(&in)
		}
	}
	if err := errors.Join(accept.Name("the signal's name", in.Name, accept.MaxName), accept.OptionalName("the signal's id", in.ID, accept.MaxName)); err != nil {
		return fmt.Errorf("%w: signal run %s: %w", ErrBadInput, id, err)
	}
	return c.operate(ctx, "signal", id, "", in)
}
