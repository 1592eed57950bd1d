package saga

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// Start starts a run of the saga and returns when its start is durable. While
// [Config.MaxRuns] runs are under way it waits for ctx.
//
// Errors: [ErrKeyConflict], [ErrUnknownSaga], [ErrNotRunning], [ErrBadInput], ctx's, and [ErrPlanChanged] with
// [Config.PlansWhenRun].
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
	id, err := c.start(ctx, d, raw, same && d.ReadsBack, opts)
	if err != nil {
		return nil, err
	}
	return &Run[Out]{ID: id, c: c}, nil
}

// Invoke runs a single action as a run of its own and returns its output. An irreversible action that fails and may
// have taken effect all the same makes the run stuck (the error is a [*StuckError]): a person has to find out.
func Invoke[In, Out any](ctx context.Context, c *Coordinator, a *Action[In, Out], in In, opts ...StartOption) (Out, error) {
	var zero Out
	raw, err := payload.EncodeOwn("the input", in)
	if err != nil {
		return zero, fmt.Errorf("%w: invoke %s: %w", ErrBadInput, a.Name, err)
	}
	id, err := c.startAction(ctx, a.Name, raw, opts)
	if err != nil {
		return zero, err
	}
	return (&Run[Out]{ID: id, c: c}).Wait(ctx)
}

// StartByName starts a run of the saga with that name and version (0 for the latest). The
// input is JSON that fits the saga's input type; it is copied. Errors are those of [Start].
func (c *Coordinator) StartByName(ctx context.Context, name string, version int, input json.RawMessage, opts ...StartOption) (domain.RunID, error) {
	if err := accept.Payload("the input of "+name, input); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	d, err := c.registry.Saga(name, version)
	if err != nil {
		return domain.RunID{}, err
	}
	return c.start(ctx, d, bytes.Clone(input), false, opts)
}

// InvokeByName starts a run of the single action with that name. Errors are those of [Start], with
// [ErrUnknownAction] for [ErrUnknownSaga].
func (c *Coordinator) InvokeByName(ctx context.Context, action string, input json.RawMessage, opts ...StartOption) (domain.RunID, error) {
	if err := accept.Payload("the input of "+action, input); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	return c.startAction(ctx, action, bytes.Clone(input), opts)
}

func (c *Coordinator) startAction(ctx context.Context, action string, input json.RawMessage, opts []StartOption) (domain.RunID, error) {
	d, err := c.registry.Single(action)
	if err != nil {
		return domain.RunID{}, err
	}
	return c.start(ctx, d, input, false, opts)
}

// start starts a run. fits means that the input is known to be of the saga's type and readable.
func (c *Coordinator) start(ctx context.Context, d *definition.Definition, input json.RawMessage, fits bool, opts []StartOption) (domain.RunID, error) {
	var o startOptions
	for _, opt := range opts {
		opt(&o)
	}
	name := d.Plan.Saga
	if len(input) == 0 {
		input = json.RawMessage("null")
	}
	if !fits {
		if err := c.checkInput(d, input); err != nil {
			return domain.RunID{}, err
		}
	}
	if err := errors.Join(o.check(), checkActor(ctx)); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: start %s: %w", ErrBadInput, name, err)
	}
	started := &domain.RunStarted{Saga: name, Version: d.Plan.Version, Plan: d.Plan.Hash(), Input: input, Key: o.key,
		Labels: o.labels, Parent: o.parent, Trigger: o.trigger, Deadline: o.deadline}
	if started.Deadline.IsZero() && d.Plan.Deadline > 0 {
		started.Deadline, started.Within = c.clock.Now().Add(time.Duration(d.Plan.Deadline)), d.Plan.Deadline
	}
	if err := c.awaitReady(ctx); err != nil {
		return domain.RunID{}, err
	}
	if !o.deadline.IsZero() && !o.deadline.After(c.cfg.Now()) {
		return c.startedBefore(ctx, started, &o)
	}
	if err := c.storePlan(ctx, d); err != nil {
		return domain.RunID{}, err
	}
	id := o.runID(name)
	err := c.begin(ctx, id, d, started, &o)
	if errors.Is(err, errOtherKind) {
		id = domain.RunIDForKeyOf(started.Version == 0, name, o.key)
		err = c.begin(ctx, id, d, started, &o)
	}
	return id, err
}

// checkInput refuses an input that can't be recorded or that the saga's code can't read.
func (c *Coordinator) checkInput(d *definition.Definition, input json.RawMessage) error {
	name := d.Plan.Saga
	if err := errors.Join(accept.Readable("the input of "+name, input), accept.Size("the input of "+name, input)); err != nil {
		return fmt.Errorf("%w: %w", ErrBadInput, err)
	}
	if _, err := contain.CallOn(c.idleHands(), contain.ClosureLimit, func() (any, error) { return nil, d.Input.Check(input) }); err != nil {
		return fmt.Errorf("%w: %s takes %s: %w", ErrBadInput, name, d.Input.Name, maskInput(d.Plan, input, err))
	}
	return nil
}

// startedBefore returns the run that was started with the key before its deadline passed; a start with a deadline
// that has passed finds one, and makes none.
func (c *Coordinator) startedBefore(ctx context.Context, want *domain.RunStarted, o *startOptions) (domain.RunID, error) {
	if o.key != "" {
		id := o.runID(want.Saga)
		err := c.sameRun(ctx, id, want)
		if errors.Is(err, errOtherKind) {
			id = domain.RunIDForKeyOf(want.Version == 0, want.Saga, o.key)
			err = c.sameRun(ctx, id, want)
		}
		if !errors.Is(err, ErrNotFound) {
			return id, err
		}
	}
	return domain.RunID{}, fmt.Errorf("%w: start %s: the deadline, %s, has passed: give a later one, or none", ErrBadInput, want.Saga, o.deadline.Format(time.RFC3339))
}

// begin admits a run and appends its start.
func (c *Coordinator) begin(ctx context.Context, id domain.RunID, d *definition.Definition, started *domain.RunStarted, o *startOptions) error {
	admitted := o.parent == nil // a child's place is its family's: it must not wait for others to end
	if admitted {
		if err := c.places.acquire(ctx, c.life.Done(), id); err != nil {
			return err
		}
	}
	var err error
	for range turnTries {
		req := &request{start: started, intent: o.then, plan: d, admitted: admitted,
			ctx: requestContext{actor: cmp.Or(actorOf(ctx), c.cfg.Node), trace: o.trace, correlation: cmp.Or(o.correlation, id.String()), causation: o.causation}}
		err = c.do(ctx, id, req)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			if admitted {
				c.goBackground(func(context.Context) { c.leaveIfFailed(id, req) })
			}
			return fmt.Errorf("start %s: it may yet become durable: start it again with its key to find out: %w", started.Saga, err)
		}
		if !errors.Is(err, domain.ErrConflict) && !errors.Is(err, errAlreadyStarted) {
			break
		}
		if err = c.sameRun(ctx, id, started); !errors.Is(err, ErrNotFound) {
			break // else nobody's run was in the way: the log refused for reasons of its own
		}
	}
	if admitted {
		c.places.release(id)
	}
	return err
}

// leaveIfFailed gives a run's place back if its start, for which its caller no longer waits, fails.
func (c *Coordinator) leaveIfFailed(id domain.RunID, req *request) {
	<-req.done
	if req.err != nil {
		c.places.release(id)
	}
}

// startTime returns the time for a start: now, or a little later, and never the same twice in a row. Two
// starts of one run at one instant would be the same bytes, so that the log would take the second
// for a repeat of the first, and both would perform what they ask for. A clock that was set back is followed.
func (c *Coordinator) startTime(now time.Time) time.Time {
	for {
		last, n := c.lastStart.Load(), now.UnixNano()
		if n <= last && last-n < int64(time.Second) {
			now, n = now.Add(time.Duration(last+1-n)), last+1
		}
		if c.lastStart.CompareAndSwap(last, n) {
			return now
		}
	}
}

// errOtherKind means that a saga's key names a run of the single action of the same name, or the other way round.
// Such keys shared one id until version 0.5; the run that came first keeps it.
var errOtherKind = errors.New("the key names a run of another kind")

// sameRun checks that a run that exists is the one that was to be started.
func (c *Coordinator) sameRun(ctx context.Context, id domain.RunID, want *domain.RunStarted) error {
	v, err := c.Describe(ctx, id)
	if err != nil {
		return err
	}
	if v.Saga == want.Saga && want.Key != "" && (v.Version == 0) != (want.Version == 0) {
		return errOtherKind
	}
	if v.Saga != want.Saga || !sameJSON(v.Input, want.Input) {
		return fmt.Errorf("%w: run %s (%s v%d) has it: use another key, or the same input", ErrKeyConflict, id, v.Saga, v.Version)
	}
	return nil
}

// sameJSON compares two JSON texts by value.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err1 := decodeNumbers(a)
	y, err2 := decodeNumbers(b)
	return err1 == nil && err2 == nil && reflect.DeepEqual(x, y)
}

func decodeNumbers(raw json.RawMessage) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
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
// [*CancelledError], [*AbandonedError]; a run that needs a person is [*StuckError] and may be waited for again.
func (r *Run[Out]) Wait(ctx context.Context) (Out, error) {
	raw, err := r.c.Wait(ctx, r.ID)
	if err != nil {
		var zero Out
		return zero, err
	}
	return payload.Decode[Out](raw)
}

// ending is what waiters are told.
type ending struct {
	output json.RawMessage
	err    error
}

// endingOf returns how the run ended or got stuck, nil if it goes on.
func endingOf(s *machine.State) *ending {
	switch s.Status() {
	case domain.RunIsCompleted:
		return &ending{output: s.Output}
	case domain.RunIsCompensated:
		return &ending{err: &CompensatedError{Run: s.Run, Cause: s.Cause, Left: s.Left}}
	case domain.RunIsCancelled:
		return &ending{err: &CancelledError{Run: s.Run, Cause: s.Cause, Left: s.Left}}
	case domain.RunIsAbandoned:
		return &ending{err: &AbandonedError{Run: s.Run, Left: s.Left}}
	case domain.RunIsStuck:
		var stuck *StuckError
		s.StuckSteps(func(st *machine.Step) {
			if stuck == nil {
				stuck = &StuckError{Run: s.Run, Step: st.Path, Incident: st.Incident, Cause: st.Cause}
			}
		})
		return &ending{err: stuck}
	}
	return nil
}

// Wait returns the run's output as JSON when it has completed; see [Run.Wait] for the errors.
func (c *Coordinator) Wait(ctx context.Context, id domain.RunID) (json.RawMessage, error) {
	if err := c.awaitReady(ctx); err != nil {
		return nil, err
	}
	ch := make(chan *ending, 1)
	for {
		a := c.runs.get(c, id)
		a.mu.Lock()
		if a.gone {
			a.mu.Unlock()
			continue
		}
		a.waiters = append(a.waiters, ch)
		idle := !a.busy
		known := idle && a.state != nil // while somebody works on the run, its state is theirs
		if idle && known {
			a.tellWaiters()
			c.runs.rest(a)
		}
		a.mu.Unlock()
		if idle && !known {
			if err := c.submit(ctx, id, nil); err != nil { // has it loaded, and us told
				a.forget(ch)
				return nil, err
			}
		}
		select {
		case e := <-ch:
			if e == nil {
				continue
			}
			return bytes.Clone(e.output), e.err
		case <-ctx.Done():
			a.forget(ch)
			return nil, ctx.Err()
		case <-c.life.Done():
			return nil, ErrNotRunning
		}
	}
}

// forget drops a waiter that gave up.
func (a *actor) forget(ch chan *ending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, w := range a.waiters {
		if w == ch {
			a.waiters = append(a.waiters[:i], a.waiters[i+1:]...)
			break
		}
	}
	if !a.busy && !a.gone {
		a.c.runs.rest(a)
	}
}
