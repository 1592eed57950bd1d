package verdict

import (
	"cmp"
	"time"

	"github.com/atonehq/atone/domain"
)

// Permanent refuses: nothing was done, and no retry will change that. It returns nil for nil.
func Permanent(err error) error {
	return says(err, Error{Effect: domain.EffectNotDone, Retry: RetryNever})
}

// NothingDone says that the attempt did nothing; it is retried. It returns nil for nil.
func NothingDone(err error) error {
	return says(err, Error{Effect: domain.EffectNotDone, Retry: RetryAsUsual})
}

// InDoubt says that the effect may have happened all the same. It returns nil for nil.
func InDoubt(err error) error {
	return says(err, Error{Effect: domain.EffectInDoubt})
}

// RetryAfter sets the delay before the next attempt. It returns nil for nil.
func RetryAfter(d time.Duration, err error) error {
	return says(err, Error{After: d})
}

// Commit commits a transaction; a failure is in doubt, because only the answer may have been lost.
func Commit(tx interface{ Commit() error }) error { return InDoubt(tx.Commit()) }

// Error is an error and what its author says of it. A zero field says nothing.
type Error struct {
	err    error
	Effect domain.FailureEffect
	Retry  RetryWord
	// After is the delay before the next attempt.
	After time.Duration
}

// RetryWord is what an error says of another attempt. The greater word outweighs the others.
type RetryWord uint8

// What an error may say of another attempt.
const (
	RetryUnsaid RetryWord = iota
	RetryAsUsual
	RetryNever
)

func says(err error, v Error) error {
	if err == nil {
		return nil
	}
	v.err = err
	return &v
}

// Error implements error: the text is that of the error inside.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the error inside.
func (e *Error) Unwrap() error { return e.err }

// Of collects what an error and the errors that it wraps say, the outermost first.
func Of(err error) Error {
	var v Error
	for err != nil {
		if e, ok := err.(*Error); ok {
			v = v.orElse(*e)
			err = e.err
			continue
		}
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			return v.orElse(saidTogether(e.Unwrap()))
		default:
			return v
		}
	}
	return v
}

// saidTogether weighs what joined errors say, of which none is the outer one.
func saidTogether(errs []error) Error {
	var v Error
	silent := false // about a connection, or a context
	for _, err := range errs {
		k := Of(err)
		if k.Effect == domain.EffectInDoubt {
			v.Effect = k.Effect
		}
		silent = silent || k.Effect == "" && (mayHideSuccess(err) || endedByContext(err))
		v.Retry = max(v.Retry, k.Retry)
		v.After = max(v.After, k.After)
		v = v.orElse(k)
	}
	if silent && v.Effect == domain.EffectNotDone {
		v.Effect = domain.EffectInDoubt
	}
	return v
}

// orElse fills in what v does not say.
func (v Error) orElse(inner Error) Error {
	v.Effect = cmp.Or(v.Effect, inner.Effect)
	v.Retry = cmp.Or(v.Retry, inner.Retry)
	v.After = cmp.Or(v.After, inner.After)
	return v
}
