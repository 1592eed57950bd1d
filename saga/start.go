package saga

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/afresh"
	"github.com/atonehq/atone/saga/internal/engine"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/look"
)

// Start starts a run of the saga and returns when its start is durable. It waits, at most until ctx
// ends, for [Coordinator.Run] to be ready and, while [Config.MaxRuns] runs are under way, for one
// of them to end or to wait.
//
// Errors: [ErrKeyConflict], [ErrUnknownSaga], [ErrNotRunning], [ErrBadInput], ctx's, and
// [ErrPlanChanged] with [Config.PlansWhenRun].
func Start[In, Out any](ctx context.Context, c *Coordinator, s *Saga[In, Out], in In, opts ...StartOption) (*Run[Out], error) {
	own, err := s.compile()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknownSaga, err)
	}
	raw, err := payload.EncodeOwn("the input", in)
	if err != nil {
		return nil, fmt.Errorf("%w: start %s: %w", ErrBadInput, s.name, err)
	}
	d, same, err := c.registry.InForce(own)
	if err != nil {
		return nil, err
	}
	// If s itself is registered, the input has the right type, and need not be decoded and checked.
	id, err := c.engine.Start(ctx, d, raw, same && d.ReadsBack, optionsOf(c.by(ctx), append(opts[:len(opts):len(opts)], typed)))
	if err != nil {
		return nil, err
	}
	return &Run[Out]{ID: id, c: c}, nil
}

// Invoke runs a single action as a run of its own and returns its output. An irreversible action
// that fails, but may have taken effect, makes the run stuck (the error is a [*StuckError]): a
// person has to find out.
func Invoke[In, Out any](ctx context.Context, c *Coordinator, a *Action[In, Out], in In, opts ...StartOption) (Out, error) {
	var zero Out
	raw, err := payload.EncodeOwn("the input", in)
	if err != nil {
		return zero, fmt.Errorf("%w: invoke %s: %w", ErrBadInput, a.Name, err)
	}
	id, err := c.invoke(ctx, a.Name, raw, append(opts[:len(opts):len(opts)], typed))
	if err != nil {
		return zero, err
	}
	return (&Run[Out]{ID: id, c: c}).Wait(ctx)
}

// StartByName starts a run of the saga with that name and version (0 for the latest). The
// input is JSON that fits the saga's input type, with all that the type's schema requires; it is
// copied. Errors are those of [Start].
func (c *Coordinator) StartByName(ctx context.Context, name string, version int, input json.RawMessage, opts ...StartOption) (domain.RunID, error) {
	if err := accept.Payload("the input of "+name, input); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	d, err := c.registry.Saga(name, version)
	if err != nil {
		return domain.RunID{}, err
	}
	return c.engine.Start(ctx, d, bytes.Clone(input), false, optionsOf(c.by(ctx), opts))
}

// InvokeByName starts a run of the single action with that name, as [Coordinator.StartByName] does
// one of a saga. Errors are those of [Start], with [ErrUnknownAction] for [ErrUnknownSaga].
func (c *Coordinator) InvokeByName(ctx context.Context, action string, input json.RawMessage, opts ...StartOption) (domain.RunID, error) {
	if err := accept.Payload("the input of "+action, input); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	return c.invoke(ctx, action, bytes.Clone(input), opts)
}

func (c *Coordinator) invoke(ctx context.Context, action string, input json.RawMessage, opts []StartOption) (domain.RunID, error) {
	d, err := c.registry.Single(action)
	if err != nil {
		return domain.RunID{}, err
	}
	return c.engine.Start(ctx, d, input, false, optionsOf(c.by(ctx), opts))
}

// Again says how an ended run is started again.
type Again = afresh.Request

// StartAgain starts an ended run again: a new run of its saga, or single action, with its input or
// another one, and a key of its own. Each of the two runs tells of the other. Errors:
// [ErrNotEnded], [ErrNotFound], and those of [Start].
func (c *Coordinator) StartAgain(ctx context.Context, id domain.RunID, how Again) (domain.RunID, error) {
	if err := accept.Payload("the input", how.Input); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	how.Input, how.Labels = bytes.Clone(how.Input), maps.Clone(how.Labels)
	return afresh.Start(ctx, &afresh.Runs{Log: c.journal, Now: c.clock.Now, Actor: cmp.Or(actorOf(ctx), c.cfg.Node), First: c.runs.First, At: c.runs.At, Start: c.again(len(how.Input) == 0)}, id, how)
}

// again starts a run from an old one. same means with the old run's input, which it took.
func (c *Coordinator) again(same bool) func(context.Context, domain.RunID, *domain.RunStarted, *Again) (domain.RunID, error) {
	return func(ctx context.Context, old domain.RunID, started *domain.RunStarted, req *Again) (domain.RunID, error) {
		own := StartOption{func(s *engine.Start) { s.Key, s.Labels, s.AgainOf, s.Typed = req.Key, req.Labels, old, same }}
		if started.Version == 0 {
			return c.InvokeByName(ctx, started.Saga, req.Input, own)
		}
		return c.StartByName(ctx, started.Saga, req.Version, req.Input, own)
	}
}

// StartedFrom lists the runs that were started from an ended one with [Coordinator.StartAgain].
func (c *Coordinator) StartedFrom(ctx context.Context, id domain.RunID) ([]domain.RunID, error) {
	return afresh.Links(ctx, c.journal, id)
}

// Run is a handle on a run whose output has the type Out.
type Run[Out any] struct {
	// ID identifies the run.
	ID domain.RunID
	c  *Coordinator
}

// RunOf returns a handle on a run that was started before, whose output has the type Out.
func RunOf[Out any](c *Coordinator, id domain.RunID) *Run[Out] { return &Run[Out]{ID: id, c: c} }

// Wait returns the run's output when it has completed. Other ends are errors: [*CompensatedError],
// [*CancelledError], [*AbandonedError]; a run that needs a person is [*StuckError] and may be
// waited for again.
func (r *Run[Out]) Wait(ctx context.Context, opts ...look.WaitOption) (out Out, err error) {
	raw, err := r.c.Wait(ctx, r.ID, opts...)
	if err != nil {
		return out, err
	}
	return payload.Decode[Out](raw)
}

// Wait returns the run's output as JSON when it has completed; see [Run.Wait] for the errors.
func (c *Coordinator) Wait(ctx context.Context, id domain.RunID, opts ...look.WaitOption) (json.RawMessage, error) {
	return look.Wait(ctx, id, c.engine.Wait, c.Why, opts...)
}

// OrStuckBelow ends a wait, too, when a run below is stuck: the [*StuckError] names that one.
func OrStuckBelow() look.WaitOption { return look.OrStuckBelow() }

// StartOption adjusts a start. The zero value sets nothing.
type StartOption struct{ apply func(*engine.Start) }

// typed says that the input was a Go value.
var typed = StartOption{func(s *engine.Start) { s.Typed = true }}

// optionsOf returns a start with the options.
func optionsOf(by engine.By, opts []StartOption) engine.Start {
	s := engine.Start{By: by}
	for _, o := range opts {
		if o.apply != nil {
			o.apply(&s)
		}
	}
	return s
}

// Key makes the start idempotent: the same key with the same input is the same run, with another
// input an [ErrKeyConflict]. Each saga, and each single action, has its own keys, even if they
// share a name. An empty key is no key.
func Key(key string) StartOption { return StartOption{func(s *engine.Start) { s.Key = key }} }

// Once makes a start idempotent that has no key, by an id that no run shows; see [Key].
func Once(id string) StartOption { return StartOption{func(s *engine.Start) { s.Once = id }} }

// Labels are attached to the run, for people and filters to find it by.
func Labels(labels map[string]string) StartOption {
	own := maps.Clone(labels)
	return StartOption{func(s *engine.Start) { s.Labels = own }}
}

// RunDeadline turns the run back if it has not ended by t. It overrides the saga's [Deadline]. A
// start refuses a time that has passed, unless its key finds an existing run, and a time outside of
// the years 1678 to 2261.
func RunDeadline(t time.Time) StartOption {
	return StartOption{func(s *engine.Start) { s.Deadline = t }}
}

// TraceParent makes the run part of a trace, given as a W3C traceparent.
func TraceParent(traceparent string) StartOption {
	return StartOption{func(s *engine.Start) { s.Trace = traceparent }}
}
