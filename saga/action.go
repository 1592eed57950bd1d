package saga

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Effect says, for an action without Undo, what its effect is.
type Effect string

const (
	// NoEffect means that there is nothing to undo: a query, a check, a computation.
	NoEffect Effect = Effect(domain.EffectNone)
	// Irreversible means that the effect stays: a letter in the post. Once such a step is done the
	// run only goes forward; while nobody knows whether it is done, the run goes neither way.
	Irreversible Effect = Effect(domain.EffectIrreversible)
)

// Action is an atomic unit of work. Its fields are set before it is first used and not
// changed afterwards; it may then be used by any number of sagas and goroutines.
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
	// idempotency key (see [AttemptOf]). An error that it returns is in doubt unless it says that
	// nothing was done, see [Permanent], [NothingDone] and FailsCleanly. Its ctx ends at the
	// attempt's timeout and when the run is turned back. Required.
	Do func(ctx context.Context, in In) (Out, error)
	// Undo takes the effect back. It may be called more than once, and where Did.InDoubt is set for
	// an effect that never happened; it then has nothing to do and returns nil. It finds what this
	// step did by Did.Key, which Do has stored with it: a row with the input's id may be somebody
	// else's. Where a network lies between, a request of Do may arrive after it: let it leave a
	// mark under Did.Key that has such a one refused.
	Undo func(ctx context.Context, did Did[In, Out]) error
	// Probe finds out whether an attempt in doubt took effect: by the do's key, which
	// AttemptOf(ctx).Key is here too. It is asked after an attempt that timed out, was lost,
	// panicked or failed with [InDoubt], and in any doubt when no retry follows. A probe that fails
	// or times out is tried again under Retry, and then counts as unknown.
	Probe func(ctx context.Context, in In) (Probed[Out], error)
	// Effect is required where there is no Undo, and empty where there is one.
	Effect Effect
	// FailsCleanly says that an error of Do means that nothing was done, as where all its work is
	// one local transaction. It covers errors that came before the commit was asked for: return the
	// commit's own error with [Commit] or [InDoubt]. Where a connection or the attempt's time is
	// what failed (driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, any net.Error, any error of a
	// context, what pgx and MySQL's driver call a closed connection, SQLSTATE 08, 57P0 and 40003)
	// the attempt stays in doubt, and so does one that panicked, timed out or was lost. What an
	// error itself says, as with [NothingDone], counts before this. It is no part of the plan.
	FailsCleanly bool
	// Retry says how a failed attempt is tried again; UndoRetry the same for the undo.
	Retry, UndoRetry Retry
	// Timeout bounds one attempt; UndoTimeout one attempt of the undo. 0 means one minute.
	Timeout, UndoTimeout time.Duration
	// HeartbeatTimeout, if set, is how long an attempt of Do may go without [Heartbeat] before it
	// is taken for lost. It does not apply to Undo and Probe, which end by their timeouts alone.
	HeartbeatTimeout time.Duration
	// Concurrency bounds how many handlers of this action one coordinator runs at once; 0 means
	// [Config.ActionConcurrency]. A handler that goes on after its attempt was given up keeps its
	// place until it returns, and the steps behind it wait: their attempts do not begin. Of a
	// worker in another process that is not known; a place there is free once the attempt was given
	// up.
	Concurrency int
	// Rate bounds how many attempts start in a second; 0 means no bound. Burst is how
	// many may start at once, 0 meaning the rate rounded up.
	Rate  float64
	Burst int
	// OnFailure is told when a step of this action has failed for good. It is itself an
	// action, run durably with its own retries; it never changes the run's outcome.
	OnFailure *Action[Failed, None]
}

// None is the input or output of an action that has none. It is written as {}.
type None struct{}

// Did is what an undo is told of the work to be taken back.
type Did[In, Out any] struct {
	// Input is what Do was called with.
	Input In
	// Output is what Do returned; the zero value where InDoubt is set and no late success came in.
	Output Out
	// InDoubt means that it is not known whether Do took effect, or, with a zero Output, that it
	// did but what it returned could not be recorded. Take back what was done under Key, if
	// anything was.
	InDoubt bool
	// Key is the idempotency key that every attempt of Do had (its [Attempt] says
	// AttemptOf(ctx).Key). What Do stored under it is this step's own, and nobody else's: an undo
	// in doubt takes back only that. The undo's own key is that of AttemptOf.
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

// Unknown answers that it can't be told.
func Unknown[Out any]() Probed[Out] { return Probed[Out]{verdict: domain.Unknown} }

// AnyAction is an action of whatever types. Only *Action implements it.
type AnyAction interface {
	// ActionName returns the action's name.
	ActionName() string
	compile() (*definition.Action, error)
}

const defaultTimeout = time.Minute

// ActionName implements [AnyAction].
func (a *Action[In, Out]) ActionName() string { return a.Name }

// compile checks the action and takes its types away.
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
		InType:      fmt.Sprintf("%T", *new(In)),
		OutType:     fmt.Sprintf("%T", *new(Out)),
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
		Secrets:       payload.SecretsOfBoth(in, out),
	}
	errs = append(errs, c.Spec.Retry.Validate())
	if a.Undo != nil {
		c.Spec.Effect = domain.EffectUndo
		c.Spec.UndoRetry = a.UndoRetry.policy(defaultUndoRetry)
		c.Spec.UndoTimeout = domain.Duration(cmp.Or(a.UndoTimeout, defaultTimeout))
		errs = append(errs, c.Spec.UndoRetry.Validate())
	}
	for what, t := range map[string]reflect.Type{"its input": in, "its output": out} {
		if why, _ := payload.ReadsBack(t); why != "" {
			c.Unreadable = fmt.Sprintf("%s, of type %v, holds %s", what, t, why)
		}
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
	c.Check, c.CheckOutput = payload.Fits[In], payload.Fits[Out]
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

// used returns the action as a definition uses it.
func used(a AnyAction) definition.ActionUse {
	code, err := a.compile()
	return definition.ActionUse{Identity: a, Action: code, Err: err}
}
