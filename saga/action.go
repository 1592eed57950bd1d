package saga

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// Effect says, for an action without Undo, what its effect is.
type Effect string

const (
	// NoEffect means that there is nothing to undo: a query, a check, a computation.
	NoEffect Effect = Effect(domain.EffectNone)
	// Irreversible means that the effect stays: a letter in the post. Once such a step is
	// done the run only goes forward; while nobody knows whether it is done, the run goes neither way.
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
	// idempotency key (see [AttemptOf]). An error that it returns is in doubt unless it says that nothing
	// was done, see [Permanent], [NothingDone] and FailsCleanly. Its ctx ends at the attempt's timeout
	// and when the run is turned back. Required.
	Do func(ctx context.Context, in In) (Out, error)
	// Undo takes the effect back. It may be called more than once, and where Did.InDoubt is set
	// for an effect that never happened; it then has nothing to do and returns nil. It finds what this step did by
	// Did.Key, which Do has stored with it: a row with the input's id may be somebody else's. Where a network lies
	// between, a request of Do may arrive after it: let it leave a mark under Did.Key that has such a one refused.
	Undo func(ctx context.Context, did Did[In, Out]) error
	// Probe finds out whether an attempt in doubt took effect: by the do's key, which AttemptOf(ctx).Key is here
	// too. It is asked after an attempt that timed out, was lost, panicked or failed with [InDoubt], and in any
	// doubt when no retry follows. A probe that fails or times out is tried again under Retry, and then
	// counts as unknown.
	Probe func(ctx context.Context, in In) (Probed[Out], error)
	// Effect is required where there is no Undo, and empty where there is one.
	Effect Effect
	// FailsCleanly says that an error of Do means that nothing was done, as where all its work is one local
	// transaction. It covers errors that came before the commit was asked for: return the commit's own
	// error with [Commit] or [InDoubt]. Where a connection or the attempt's time is what failed
	// (driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, any net.Error, any error of a context, what pgx and
	// MySQL's driver call a closed connection, SQLSTATE 08, 57P0 and 40003) the attempt stays in doubt, and so does one that panicked, timed out or was lost. What an error itself says, as
	// with [NothingDone], counts before this. It is no part of the plan.
	FailsCleanly bool
	// Retry says how a failed attempt is tried again; UndoRetry the same for the undo.
	Retry, UndoRetry Retry
	// Timeout bounds one attempt; UndoTimeout one attempt of the undo. 0 means one minute.
	Timeout, UndoTimeout time.Duration
	// HeartbeatTimeout, if set, is how long an attempt of Do may go without [Heartbeat] before it
	// is taken for lost. It does not apply to Undo and Probe, which end by their timeouts alone.
	HeartbeatTimeout time.Duration
	// Concurrency bounds how many handlers of this action one coordinator runs at once; 0 means
	// [Config.ActionConcurrency]. A handler that goes on after its attempt was given up keeps its place
	// until it returns, and the steps behind it wait: their attempts do not begin. Of a worker in
	// another process that is not known; a place there is free once the attempt was given up.
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
	// InDoubt means that it is not known whether Do took effect, or, with a zero Output, that it did but what it
	// returned could not be recorded. Take back what was done under Key, if anything was.
	InDoubt bool
	// Key is the idempotency key that every attempt of Do had (its [Attempt] says AttemptOf(ctx).Key). What Do
	// stored under it is this step's own, and nobody else's: an undo in doubt takes back only that. The undo's
	// own key is that of AttemptOf.
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
	compile() (*actionCode, error)
}

// actionCode is an action as the coordinator and its workers see it: without types.
type actionCode struct {
	spec            domain.ActionSpec
	description     string
	concurrency     int
	rate            float64
	burst           int
	inType, outType string
	// identity tells two actions of one name apart.
	identity any
	// check and checkOutput report whether an input, or an output, fits the type.
	check, checkOutput func(json.RawMessage) error
	do                 func(ctx context.Context, in json.RawMessage) (json.RawMessage, error)
	undo               func(ctx context.Context, t *task) error
	probe              func(ctx context.Context, in json.RawMessage) (domain.Verdict, json.RawMessage, error)
	// permanent reports whether the author named the error as one not to retry.
	permanent    func(error) bool
	failsCleanly bool
	// unreadable says why values of its types don't come back from JSON; empty where that can't be told without one.
	unreadable    string
	undoPermanent func(error) bool
	onFailure     *actionCode
	// secrets is what its types keep secret.
	secrets *typeSecrets
}

const defaultTimeout = time.Minute

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// ActionName implements [AnyAction].
func (a *Action[In, Out]) ActionName() string { return a.Name }

// compile checks the action and takes its types away.
func (a *Action[In, Out]) compile() (*actionCode, error) {
	if a == nil {
		return nil, errors.New("action is nil: declare it before the saga that uses it")
	}
	errs := a.validate()
	c := &actionCode{
		identity:    a,
		description: a.Description,
		concurrency: a.Concurrency,
		rate:        a.Rate,
		burst:       a.Burst,
		inType:      fmt.Sprintf("%T", *new(In)),
		outType:     fmt.Sprintf("%T", *new(Out)),
		spec: domain.ActionSpec{
			Name:             a.Name,
			Effect:           domain.Effect(a.Effect),
			Probe:            a.Probe != nil,
			Retry:            a.Retry.policy(defaultRetry),
			Timeout:          domain.Duration(orElse(a.Timeout, defaultTimeout)),
			HeartbeatTimeout: domain.Duration(a.HeartbeatTimeout),
		},
		permanent:     a.Retry.permanent,
		failsCleanly:  a.FailsCleanly,
		undoPermanent: a.UndoRetry.permanent,
	}
	errs = append(errs, c.spec.Retry.Validate())
	if a.Undo != nil {
		c.spec.Effect = domain.EffectUndo
		c.spec.UndoRetry = a.UndoRetry.policy(defaultUndoRetry)
		c.spec.UndoTimeout = domain.Duration(orElse(a.UndoTimeout, defaultTimeout))
		errs = append(errs, c.spec.UndoRetry.Validate())
	}
	for what, t := range map[string]reflect.Type{"its input": reflect.TypeFor[In](), "its output": reflect.TypeFor[Out]()} {
		if why, _ := readsBack(t); why != "" {
			c.unreadable = fmt.Sprintf("%s, of type %v, holds %s", what, t, why)
		}
	}
	c.secrets = secretsOf[In, Out]()
	a.bind(c)
	if a.OnFailure != nil {
		h, err := a.OnFailure.compile()
		if err != nil {
			errs = append(errs, fmt.Errorf("OnFailure: %w", err))
		} else {
			c.onFailure = h
			c.spec.OnFailure = &h.spec
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
	bad(!namePattern.MatchString(a.Name), "bad name: use 1 to 100 letters, digits, '-', '_' or '.', beginning with a letter or digit")
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
func (a *Action[In, Out]) bind(c *actionCode) {
	c.check, c.checkOutput = fits[In], fits[Out]
	record := recorder[Out]()
	c.do = func(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
		in, err := decode[In](raw)
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
		c.undo = func(ctx context.Context, t *task) error {
			in, err := decode[In](t.Input)
			if err != nil {
				return Permanent(fmt.Errorf("recorded input of %s: %w", a.Name, err))
			}
			did := Did[In, Out]{Input: in, InDoubt: t.InDoubt, Key: domain.IdempotencyKey(t.Run, t.Step, domain.Do)}
			if len(t.Output) > 0 {
				if did.Output, err = decode[Out](t.Output); err != nil {
					return Permanent(fmt.Errorf("recorded output of %s: %w", a.Name, err))
				}
			}
			if t.Cause != nil {
				did.Cause = &domain.FailureError{Failure: t.Cause}
			}
			return a.Undo(ctx, did)
		}
	}
	if a.Probe != nil {
		c.probe = func(ctx context.Context, raw json.RawMessage) (domain.Verdict, json.RawMessage, error) {
			in, err := decode[In](raw)
			if err != nil {
				return domain.Unknown, nil, err
			}
			p, err := a.Probe(ctx, in)
			if err != nil || p.verdict != domain.Applied {
				return orElse(p.verdict, domain.Unknown), nil, err
			}
			out, err := record(p.output)
			return p.verdict, out, err
		}
	}
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// marshal writes a value as JSON, without HTML escaping.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, Permanent(fmt.Errorf("write as JSON: %w", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// encode writes a payload as JSON. One that json can't write is a permanent failure.
func encode(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case json.RawMessage:
		if len(v) == 0 {
			return json.RawMessage("null"), nil
		}
		if err := accept.Readable("the raw value", v); err != nil {
			return nil, Permanent(err)
		}
		return bytes.Clone(v), nil // its owner may use the buffer again
	case None:
		return json.RawMessage("{}"), nil
	}
	raw, err := marshal(v)
	if err != nil {
		return nil, err
	}
	if err := accept.Readable("the value", raw); err != nil { // a MarshalJSON may write what it likes
		return nil, Permanent(err)
	}
	return raw, nil
}

// encodeOwn writes a value that a caller hands in, and refuses one that would come back otherwise.
func encodeOwn(what string, v any) (json.RawMessage, error) {
	raw, err := encode(v)
	if err != nil {
		return nil, err
	}
	if err := accept.Payload(what, raw); err != nil {
		return nil, err
	}
	return raw, accept.Strings(what, raw, v)
}

// decode reads a value from JSON; nothing, or null, is the zero value.
func decode[T any](raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("read %T: %w", v, err)
	}
	return v, nil
}

// fits reports whether JSON that a person or another program wrote is a T. Unlike decode it refuses members that T does
// not have: they are mistakes of whoever wrote it.
func fits[T any](raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var v T
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return fmt.Errorf("read %T: %w", v, err)
	}
	return nil
}
