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
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// isRefusal reports whether the error says that an intent does not fit the run's state.
func isRefusal(err error) bool {
	for _, r := range [...]error{machine.ErrEnded, machine.ErrPastPivot, machine.ErrTurnedBack, machine.ErrNoStep, machine.ErrNoAttempt, machine.ErrNotStuck, machine.ErrStale, machine.ErrBadOutput} {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

// operate has a person's intent decided. Their words are kept in many of the run's events, and must fit them all.
func (c *Coordinator) operate(ctx context.Context, what string, id domain.RunID, words string, in machine.Intent) error {
	if err := errors.Join(accept.Text("the reason", words), checkActor(ctx)); err != nil {
		return fmt.Errorf("%w: %s run %s: %w", ErrBadInput, what, id, err)
	}
	if err := c.awaitReady(ctx); err != nil {
		return err
	}
	req := &request{intent: in, ctx: requestContext{actor: cmp.Or(actorOf(ctx), c.cfg.Node)}}
	if err := c.do(ctx, id, req); err != nil {
		return fmt.Errorf("%s run %s: %w", what, id, err)
	}
	return nil
}

// Cancel turns the run back: what was done is undone, and the run ends cancelled. While an
// irreversible attempt is in flight the cancel waits for its outcome. Errors: [ErrEnded], [ErrPastPivot],
// [ErrTurnedBack], [ErrNotFound].
func (c *Coordinator) Cancel(ctx context.Context, id domain.RunID, reason string) error {
	return c.operate(ctx, "cancel", id, reason, machine.Cancel{Reason: reason})
}

// Pause stops the run from starting anything new. What is in flight ends as it does.
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

// Skip settles a stuck step, or every stuck one, as having no effect; one that is stuck in its
// undo as undone. Errors are those of Retry.
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
	v, err := c.Describe(ctx, id)
	if err != nil {
		return fmt.Errorf("substitute output in run %s: %w", id, err)
	}
	for _, st := range v.Steps {
		code := c.registry.Action(st.Action)
		if st.Path != step && step != "" || code == nil || st.Incident == "" {
			continue
		}
		if err := code.CheckOutput(output); err != nil {
			return fmt.Errorf("%w: the output of %s is %s: %w", ErrBadInput, st.Path, code.OutType, maskNames(code.Secrets.Names, output, err))
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

// SignalOption adjusts a signal.
type SignalOption func(*machine.Signal)

// SignalID makes a signal idempotent: a second one with the same id to the same run is nothing. An empty id is
// none: each such signal counts.
func SignalID(id string) SignalOption { return func(s *machine.Signal) { s.ID = cmp.Or(id, s.ID) } }

// Signal delivers a named signal with a JSON-able payload to the run. If nothing awaits it
// yet, it is kept for the first await that does. A payload that does not fit the type of any await of that name is
// refused with [ErrBadInput]. Other errors: [ErrEnded], [ErrNotFound].
func (c *Coordinator) Signal(ctx context.Context, id domain.RunID, name string, value any, opts ...SignalOption) error {
	raw, err := payload.EncodeOwn("the signal's payload", value)
	if err != nil {
		return fmt.Errorf("%w: signal %.100q: %w", ErrBadInput, name, err)
	}
	in := machine.Signal{Name: name, ID: uuid.NewString(), Value: raw}
	for _, o := range opts {
		o(&in)
	}
	if err := errors.Join(accept.Name("the signal's name", in.Name, accept.MaxName), accept.OptionalName("the signal's id", in.ID, accept.MaxName)); err != nil {
		return fmt.Errorf("%w: signal run %s: %w", ErrBadInput, id, err)
	}
	return c.operate(ctx, "signal", id, "", in)
}

// wake is called when a run's time has come.
func (c *Coordinator) wake(id domain.RunID) {
	err := c.do(c.life, id, &request{intent: machine.Tick{Elsewhere: c.elsewhere}, ctx: requestContext{actor: c.cfg.Node}})
	if err == nil || c.life.Err() != nil || errors.Is(err, ErrUnreadable) {
		return
	}
	c.logger.Warn("run could not be woken", "run", id, "error", err)
}
