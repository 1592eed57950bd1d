package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/look"
)

// StartOption adjusts a start. The zero value sets nothing.
type StartOption struct{ apply func(*startOptions) }

type startOptions struct {
	key, trace string
	version    int
	labels     map[string]string
	deadline   time.Time
}

// Key makes the start idempotent: the same key with the same input gives the same run; with another
// input it gives [saga.ErrKeyConflict]. Without Key the client makes up a random key for each call,
// so that it can repeat a request whose answer was lost.
func Key(key string) StartOption { return StartOption{func(o *startOptions) { o.key = key }} }

// Labels are attached to the run.
func Labels(labels map[string]string) StartOption {
	own := maps.Clone(labels)
	return StartOption{func(o *startOptions) { o.labels = own }}
}

// RunDeadline turns the run back if it has not ended by then.
func RunDeadline(t time.Time) StartOption {
	return StartOption{func(o *startOptions) { o.deadline = t }}
}

// TraceParent makes the run part of a trace, given as a W3C traceparent.
func TraceParent(traceparent string) StartOption {
	return StartOption{func(o *startOptions) { o.trace = traceparent }}
}

func optionsOf(opts []StartOption) (o startOptions) {
	for _, opt := range opts {
		if opt.apply != nil {
			opt.apply(&o)
		}
	}
	return o
}

// check returns an error for values that would not arrive unchanged. Call it before sending.
func (o *startOptions) check(input json.RawMessage) error {
	errs := []error{accept.OptionalName("the key", o.key, accept.MaxKey), accept.OptionalName("the traceparent", o.trace, accept.MaxKey),
		accept.Labels(o.labels), accept.Time("the deadline", o.deadline), accept.Payload("the input", input)}
	if strings.TrimSpace(o.key) != o.key {
		errs = append(errs, errors.New("the key begins or ends with a space, which an HTTP header can't carry"))
	}
	if o.version < 0 {
		errs = append(errs, errors.New("the version is negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", saga.ErrBadInput, err)
	}
	return nil
}

func (o *startOptions) request(path string, input json.RawMessage, out any) request {
	r := request{method: http.MethodPost, path: path, query: url.Values{}, header: http.Header{}, body: input, out: out, again: true}
	if o.key == "" {
		o.key = domain.NewKey()
	}
	r.header.Set("Idempotency-Key", o.key)
	if o.trace != "" {
		r.header.Set("Traceparent", o.trace)
	}
	addInt(r.query, "version", int64(o.version))
	for k, v := range o.labels {
		r.query.Add("label", k+"="+v)
	}
	addTime(r.query, "deadline", o.deadline)
	return r
}

// Start starts a run of the saga and returns when its start is durable. Errors are those of
// [saga.Start].
func Start[In, Out any](ctx context.Context, c *Client, s *saga.Saga[In, Out], in In, opts ...StartOption) (*Run[Out], error) {
	name, version := s.SagaName()
	raw, err := encode(in)
	if err != nil {
		return nil, fmt.Errorf("%w: start %s: %w", saga.ErrBadInput, name, err)
	}
	res, err := c.StartByName(ctx, name, version, raw, opts...)
	if err != nil {
		return nil, err
	}
	return &Run[Out]{ID: res.Run, c: c}, nil
}

// Invoke runs a single action as a run of its own and returns its output.
func Invoke[In, Out any](ctx context.Context, c *Client, a *saga.Action[In, Out], in In, opts ...StartOption) (Out, error) {
	var zero Out
	raw, err := encode(in)
	if err != nil {
		return zero, fmt.Errorf("%w: invoke %s: %w", saga.ErrBadInput, a.Name, err)
	}
	res, err := c.InvokeByName(ctx, a.Name, raw, opts...)
	if err != nil {
		return zero, err
	}
	return (&Run[Out]{ID: res.Run, c: c}).Wait(ctx)
}

// StartByName starts a run of the saga with that name and version (0 for the latest). The result
// has the run's id and state.
func (c *Client) StartByName(ctx context.Context, name string, version int, input json.RawMessage, opts ...StartOption) (wire.Result, error) {
	o := optionsOf(opts)
	o.version = version
	if err := o.check(input); err != nil {
		return wire.Result{}, err
	}
	var res wire.Result
	err := c.call(ctx, o.request("/sagas/"+segment(name)+"/runs", domain.OrNull(input), &res))
	return res, err
}

// InvokeByName starts a run of the single action with that name.
func (c *Client) InvokeByName(ctx context.Context, action string, input json.RawMessage, opts ...StartOption) (wire.Result, error) {
	o := optionsOf(opts)
	if err := o.check(input); err != nil {
		return wire.Result{}, err
	}
	var res wire.Result
	err := c.call(ctx, o.request("/actions/"+segment(action)+"/invoke", domain.OrNull(input), &res))
	return res, err
}

// StartAgain starts an ended run again. The result has the new run's id and state. Errors are those
// of [saga.Coordinator.StartAgain].
func (c *Client) StartAgain(ctx context.Context, id domain.RunID, b wire.StartAgain) (wire.Result, error) {
	return post[wire.Result](ctx, c, "/runs/"+id.String()+"/start-again", b, true)
}

// Run is a handle on a run whose output has the type Out.
type Run[Out any] struct {
	// ID identifies the run.
	ID domain.RunID
	c  *Client
}

// RunOf returns a handle on a run that was started before, whose output has the type Out.
func RunOf[Out any](c *Client, id domain.RunID) *Run[Out] { return &Run[Out]{ID: id, c: c} }

// Wait returns the run's output when it has completed. Other ends are the library's errors:
// [*saga.CompensatedError], [*saga.CancelledError], [*saga.AbandonedError]; a run that needs a
// person is [*saga.StuckError] and may be waited for again.
func (r *Run[Out]) Wait(ctx context.Context, opts ...look.WaitOption) (Out, error) {
	var out Out
	raw, err := r.c.Wait(ctx, r.ID, opts...)
	if err != nil || len(raw) == 0 {
		return out, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("read the output of run %s: %w", r.ID, err)
	}
	return out, nil
}

// Wait returns the run's output as JSON when it has completed; see [Run.Wait] for the errors. It
// survives restarts of the server until ctx ends.
func (c *Client) Wait(ctx context.Context, id domain.RunID, opts ...look.WaitOption) (json.RawMessage, error) {
	for {
		within, _, end := listen(ctx, c.cfg.Poll+c.cfg.Silence)
		res, err := c.Result(within, id, c.cfg.Poll, opts...)
		if err = end(err); err != nil {
			if ctx.Err() == nil && passing(err) {
				c.answers(err)
				select {
				case <-time.After(time.Second):
					continue
				case <-ctx.Done():
				}
			}
			return nil, errors.Join(ctx.Err(), err)
		}
		c.answers(nil)
		if over, err := endOf(&res); over {
			return res.Output, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// Result waits until the run has ended or is stuck, for at most wait, and returns the run's state.
func (c *Client) Result(ctx context.Context, id domain.RunID, wait time.Duration, opts ...look.WaitOption) (wire.Result, error) {
	var res wire.Result
	q := url.Values{}
	if wait > 0 {
		q.Set("wait", wait.String())
	}
	if slices.Contains(opts, saga.OrStuckBelow()) {
		q.Set("below", "true")
	}
	err := c.call(ctx, request{method: http.MethodGet, path: "/runs/" + id.String() + "/result", query: q, out: &res, again: true, wait: wait})
	return res, err
}

// endOf turns a result into the error of the library's Wait. over is false while the run is under
// way.
func endOf(r *wire.Result) (over bool, err error) {
	e := domain.Ending{Run: r.Run, State: r.State, Cause: r.Cause, Left: r.Left, Step: r.Step, Incident: r.Incident}
	if r.Below != nil {
		e.Run, e.State = *r.Below, domain.RunIsStuck
	}
	return e.State.Ended() || e.State == domain.RunIsStuck, e.Err()
}
