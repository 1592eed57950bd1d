package saga

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/work"
)

// Effect is what an action without Undo leaves behind.
type Effect string

const (
	// NoEffect means that there is nothing to undo: a query, a check, a computation.
	NoEffect Effect = Effect(domain.EffectNone)
	// Irreversible means that the effect can't be undone: a letter in the post. Once such a step
	// is done, the run only goes forward. While its effect is unknown, the run goes neither
	// forward nor back.
	Irreversible Effect = Effect(domain.EffectIrreversible)
)

// Action is an atomic unit of work. Set its fields before its first use and don't change them
// afterwards. Any number of sagas and goroutines may then use it.
//
// In and Out are any types that encoding/json round-trips. An output, like an input, is part
// of the run's stream and must stay below [domain.MaxAppendSize].
type Action[In, Out any] struct {
	// Name identifies the action, for ever: letters, digits, '-', '_' and '.', at most 100
	// bytes. Required.
	Name string
	// Description is for people.
	Description string
	// Do does the work. It may be called again after a crash, a timeout or an error, with the same
	// idempotency key (see [AttemptOf]). An error means that the effect is in doubt, unless the
	// error says that nothing was done: see [Permanent], [NothingDone] and FailsCleanly. ctx ends
	// at the attempt's timeout and when the run turns back. Required.
	Do func(ctx context.Context, in In) (Out, error)
	// Undo takes the effect back. It may be called more than once. With Did.InDoubt it may be
	// called for an effect that never happened: it then returns nil. It must find this step's
	// effect by Did.Key, which Do stored with the effect, because a row with the input's id may
	// belong to another run. Over a network, a request of Do may arrive after Undo: let Undo leave
	// a mark under Did.Key that makes the other system refuse it.
	Undo func(ctx context.Context, did Did[In, Out]) error
	// Probe finds out whether an attempt in doubt took effect, by the do's key, which is
	// AttemptOf(ctx).Key here too. It is called after an attempt that timed out, was lost,
	// panicked or failed with [InDoubt], and after any attempt in doubt that has no retry left. A
	// probe that fails or times out is tried again under Retry, and then counts as unknown.
	Probe func(ctx context.Context, in In) (Probed[Out], error)
	// Effect is required if there is no Undo, and must be empty if there is one.
	Effect Effect
	// FailsCleanly says that an error of Do means that nothing was done, for example because all
	// its work is one local transaction. It covers errors before the commit: return the commit's
	// own error with [Commit] or [InDoubt]. It does not cover errors of connections and contexts
	// (driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, any net.Error, any error of a context,
	// closed connections of pgx and MySQL's driver, SQLSTATE 08, 57P0 and 40003), nor panics,
	// timeouts and lost attempts: these stay in doubt. A verdict of the error itself, such as
	// [NothingDone], takes precedence. FailsCleanly is not part of the plan.
	FailsCleanly bool
	// Retry says how a failed attempt is tried again; UndoRetry the same for the undo.
	Retry, UndoRetry Retry
	// Timeout bounds one attempt; UndoTimeout one attempt of the undo. 0 means one minute.
	Timeout, UndoTimeout time.Duration
	// HeartbeatTimeout, if set, is how long an attempt of Do may go without [Heartbeat] before it
	// counts as lost. It does not apply to Undo and Probe, which only their timeouts end.
	HeartbeatTimeout time.Duration
	// Concurrency bounds how many handlers of this action one coordinator runs at once; 0 means
	// [Config.ActionConcurrency]. A handler that still runs after its attempt was given up keeps
	// its place until it returns; the attempts of waiting steps do not begin. For a worker in
	// another process this is unknown: there the place is free once the attempt was given up.
	Concurrency int
	// Rate bounds how many attempts start in a second; 0 means no bound. Burst is how
	// many may start at once, 0 meaning the rate rounded up.
	Rate  float64
	Burst int
	// OnFailure runs when a step of this action has failed for good. It is an action itself,
	// durable and with its own retries; it never changes the run's outcome.
	OnFailure *Action[Failed, None]
}

// None is the input or output of an action that has none. Its JSON is {}.
type None struct{}

// Did describes, to an undo, the work to be taken back.
type Did[In, Out any] struct {
	// Input is what Do was called with.
	Input In
	// Output is what Do returned; the zero value where InDoubt is set and no late success came in.
	Output Out
	// InDoubt means that nobody knows whether Do took effect, or that its output could not be
	// recorded (Output is then zero). Take back whatever was done under Key.
	InDoubt bool
	// Key is the idempotency key of every attempt of Do: AttemptOf(ctx).Key there. What Do stored
	// under it belongs to this step alone; an undo in doubt takes back only that. The undo's own
	// key is AttemptOf(ctx).Key in the undo.
	Key string
	// Cause is why the run is being undone.
	Cause error
}

// Probed is a probe's answer; use [Applied], [NotApplied] or [Unknown].
type Probed[Out any] struct {
	verdict domain.Verdict
	output  Out
}

// Applied answers that the attempt took effect, with the output that it should have returned.
func Applied[Out any](out Out) Probed[Out] { return Probed[Out]{domain.Applied, out} }

// NotApplied answers that the attempt took no effect and never will.
func NotApplied[Out any]() Probed[Out] { return Probed[Out]{verdict: domain.NotApplied} }

// Unknown answers that the probe can't tell.
func Unknown[Out any]() Probed[Out] { return Probed[Out]{verdict: domain.Unknown} }

// AnyAction is an action with any types. Only *Action and package data's implement it.
type AnyAction interface {
	// ActionName returns the action's name.
	ActionName() string
	compile() (*definition.Action, error)
}

// described is an action of raw JSON with what is known of it.
type described struct {
	AnyAction
	in, out definition.Payload
	secret  []string
}

func (d *described) compile() (*definition.Action, error) {
	c, err := d.AnyAction.compile()
	if err == nil {
		c.Identity, c.Input, c.Output, c.Secrets = d, d.in, d.out, &payload.Secrets{Names: d.secret, Opaque: true}
	}
	return c, err
}

const defaultTimeout = time.Minute

// ActionName implements [AnyAction].
func (a *Action[In, Out]) ActionName() string { return a.Name }

// compile checks the action and erases its types.
func (a *Action[In, Out]) compile() (*definition.Action, error) {
	if a == nil {
		return nil, errors.New("action is nil: declare it before the saga that uses it")
	}
	errs := a.validate()
	in, out := reflect.TypeFor[In](), reflect.TypeFor[Out]()
	c := &definition.Action{
		Identity:    a,
		Description: a.Description,
		Concurrency: a.Concurrency,
		Rate:        a.Rate,
		Burst:       a.Burst,
		Input:       definition.PayloadOf[In](),
		Output:      definition.PayloadOf[Out](),
		Spec: domain.ActionSpec{
			Name:             a.Name,
			Effect:           domain.Effect(a.Effect),
			Probe:            a.Probe != nil,
			Retry:            a.Retry.policy(defaultRetry),
			Timeout:          domain.Duration(cmp.Or(a.Timeout, defaultTimeout)),
			HeartbeatTimeout: domain.Duration(a.HeartbeatTimeout),
		},
		Permanent:     a.Retry.permanent,
		FailsCleanly:  a.FailsCleanly,
		UndoPermanent: a.UndoRetry.permanent,
		Unreadable:    definition.Unreadable(in, out),
		Secrets:       payload.SecretsOfBoth(in, out),
	}
	errs = append(errs, c.Spec.Retry.Validate())
	if a.Undo != nil {
		c.Spec.Effect = domain.EffectUndo
		c.Spec.UndoRetry = a.UndoRetry.policy(defaultUndoRetry)
		c.Spec.UndoTimeout = domain.Duration(cmp.Or(a.UndoTimeout, defaultTimeout))
		errs = append(errs, c.Spec.UndoRetry.Validate())
	}
	a.bind(c)
	if a.OnFailure != nil {
		h, err := a.OnFailure.compile()
		if err != nil {
			errs = append(errs, fmt.Errorf("OnFailure: %w", err))
		} else {
			c.OnFailure, c.Spec.OnFailure = h, &h.Spec
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("action %q: %w", a.Name, err)
	}
	return c, nil
}

func (a *Action[In, Out]) validate() []error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(!definition.ValidName(a.Name), "bad name: %s", definition.BadName)
	bad(a.Do == nil, "it has no Do")
	bad(a.Undo == nil && a.Effect == "", "it has no Undo: give it one, or say Effect: saga.NoEffect or saga.Irreversible")
	bad(a.Undo == nil && a.Effect != "" && a.Effect != NoEffect && a.Effect != Irreversible, "Effect is %q: use saga.NoEffect or saga.Irreversible", a.Effect)
	bad(a.Undo != nil && a.Effect != "", "it has an Undo and also says Effect: %s: drop one of them", a.Effect)
	bad(a.Timeout < 0 || a.UndoTimeout < 0 || a.HeartbeatTimeout < 0, "a timeout is negative")
	bad(a.Concurrency < 0 || a.Burst < 0, "Concurrency and Burst can't be negative")
	errs = append(errs, accept.Number("Rate", a.Rate), accept.Text("Description", a.Description))
	return errs
}

// bind wraps the typed functions.
func (a *Action[In, Out]) bind(c *definition.Action) {
	record := payload.Recorder[Out]()
	c.Do = func(ctx context.Context, raw json.RawMessage, known any) (json.RawMessage, error) {
		in, err := payload.DecodeKnown[In](raw, known)
		if err != nil {
			return nil, Permanent(fmt.Errorf("input of %s: %w", a.Name, err))
		}
		out, err := a.Do(ctx, in)
		if err != nil {
			return nil, err
		}
		return record(out)
	}
	if a.Undo != nil {
		c.Undo = func(ctx context.Context, raw definition.Did) error {
			did := Did[In, Out]{InDoubt: raw.InDoubt, Key: raw.Key, Cause: raw.Cause}
			var err error
			if did.Input, err = payload.Decode[In](raw.Input); err != nil {
				return Permanent(fmt.Errorf("recorded input of %s: %w", a.Name, err))
			}
			if did.Output, err = payload.Decode[Out](raw.Output); err != nil {
				return Permanent(fmt.Errorf("recorded output of %s: %w", a.Name, err))
			}
			return a.Undo(ctx, did)
		}
	}
	if a.Probe != nil {
		c.Probe = func(ctx context.Context, raw json.RawMessage) (domain.Verdict, json.RawMessage, error) {
			in, err := payload.Decode[In](raw)
			if err != nil {
				return domain.Unknown, nil, err
			}
			p, err := a.Probe(ctx, in)
			if err != nil || p.verdict != domain.Applied {
				return cmp.Or(p.verdict, domain.Unknown), nil, err
			}
			out, err := record(p.output)
			return p.verdict, out, err
		}
	}
}

// Attempt tells a handler what it is called for. It is plain data that adapters share.
type Attempt = domain.Attempt

// Observer is told of attempts. Its methods are called concurrently and must return quickly. While
// a method hangs, the observer gets no further calls.
type Observer interface {
	// AttemptBegan is called before a handler. The context that it returns is the handler's.
	AttemptBegan(ctx context.Context, a Attempt) context.Context
	// AttemptEnded is called after it; failure is nil on success.
	AttemptEnded(ctx context.Context, a Attempt, took time.Duration, failure *domain.Failure)
}

// Causes with which a handler's context is cancelled; see context.Cause.
var (
	// ErrRunTurnedBack means that the run is being undone.
	ErrRunTurnedBack = work.ErrRunTurnedBack
	// ErrShutdown means that the worker is stopping.
	ErrShutdown = work.ErrShutdown
)

// ActionTopic returns the topic on which the attempts of an action travel to workers:
// atone.action.NAME, or atone.NAMESPACE.action.NAME. See [Config.Namespace].
func ActionTopic(namespace, action string) string { return work.ActionTopic(namespace, action) }

// OutcomesTopic returns the topic on which outcomes travel back to coordinators: atone.outcomes,
// or atone.NAMESPACE.outcomes.
func OutcomesTopic(namespace string) string { return work.OutcomesTopic(namespace) }

// AttemptOf returns the attempt that the handler is called for. Outside a handler it returns the
// zero Attempt.
func AttemptOf(ctx context.Context) Attempt { return work.AttemptOf(ctx) }

// Logger returns a logger that carries the run, step and attempt. Outside a handler it is
// slog's default.
func Logger(ctx context.Context) *slog.Logger { return work.Logger(ctx) }

// Heartbeat tells the coordinator that a long attempt is alive. details is its progress: any JSON
// value, or nil. An attempt that does not beat for its action's HeartbeatTimeout counts as lost
// and is retried; the next attempt reads the details with [LastHeartbeat]. Frequent calls are
// cheap: at most three beats are sent per timeout.
func Heartbeat(ctx context.Context, details any) error { return work.Heartbeat(ctx, details) }

// LastHeartbeat reads the details of the latest heartbeat of earlier attempts into v, and
// reports whether there were any.
func LastHeartbeat(ctx context.Context, v any) (bool, error) { return work.LastHeartbeat(ctx, v) }

// Emit appends a domain event of the given type in the same atomic write as the attempt's success,
// or not at all if the attempt fails. It refuses types that begin like atone's own (run., step.,
// attempt. …) or with $, and calls after the handler has returned.
func Emit(ctx context.Context, eventType string, payload any) error {
	return work.Emit(ctx, eventType, payload)
}
