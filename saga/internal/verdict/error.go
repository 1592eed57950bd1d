package verdict

import (
	"cmp"
	"time"

	"github.com/atonehq/atone/domain"
)

// Permanent says that nothing was done and that a retry would not help. It returns nil for nil.
func Permanent(err error) error {
	return says(err, Error{Effect: domain.EffectNotDone, Retry: RetryNever})
}

// NothingDone says that the attempt did nothing; it is retried. It returns nil for nil.
func NothingDone(err error) error {
	return says(err, Error{Effect: domain.EffectNotDone, Retry: RetryAsUsual})
}

// InDoubt says that the effect may have happened. It returns nil for nil.
func InDoubt(err error) error {
	return says(err, Error{Effect: domain.EffectInDoubt})
}

// RetryAfter sets the delay before the next attempt. It returns nil for nil.
func RetryAfter(d time.Duration, err error) error {
	return says(err, Error{After: d})
}

// Commit commits a transaction; a failure is in doubt, because only the answer may have been lost.
func Commit(tx interface{ Commit() error }) error { return InDoubt(tx.Commit()) }

// Error is an error with its author's verdict. A zero field says nothing.
type Error struct {
	err    error
	Effect domain.FailureEffect
	Retry  RetryWord
	// After is the delay before the next attempt.
	After time.Duration
}

// RetryWord says whether to try again. The greater word outweighs the others.
type RetryWord uint8

// The words about another attempt.
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

// Of returns the verdict of an error and the errors that it wraps; the outermost has precedence.
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

// saidTogether combines the verdicts of joined errors, of which none is the outermost.
func saidTogether(errs []error) Error {
	var v Error
	silent := false // has no verdict, and is about a connection or a context
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

// orElse fills in what e does not say.
func (e Error) orElse(inner Error) Error {
	e.Effect = cmp.Or(e.Effect, inner.Effect)
	e.Retry = cmp.Or(e.Retry, inner.Retry)
	e.After = cmp.Or(e.After, inner.After)
	return e
}
