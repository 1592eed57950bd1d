package saga

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// An error that a handler returns says that the attempt failed. It does not say that nothing was done: the
// answer may have been lost on its way back. So an error is in doubt unless it says otherwise, by one of
// the functions below. They wrap: errors.Is and errors.As see through them, and the text stays the same.
//
// They may be nested, and the outermost one counts: InDoubt(Permanent(err)) is in doubt, and, as InDoubt says
// nothing of retries, it is not retried. Of errors that are joined (errors.Join, several %w) one in doubt
// outweighs those that say that nothing was done, and so does one of a connection or a context about which
// nothing is said: what another call's error says does not speak for it.

// Permanent refuses: nothing was done, and no retry will change that. The step fails at once. It returns
// nil for nil.
func Permanent(err error) error {
	return says(err, verdictError{effect: domain.EffectNotDone, retry: retryNever})
}

// NothingDone says that the attempt did nothing, such as when the connection was refused. It is retried,
// and if the retries are used up there is nothing to undo. It returns nil for nil.
func NothingDone(err error) error {
	return says(err, verdictError{effect: domain.EffectNotDone, retry: retryAsUsual})
}

// InDoubt says outright that the effect may have happened all the same, such as when a commit failed or a
// connection broke after the request was sent. An error that says nothing is in doubt too and is
// retried with the same idempotency key; after InDoubt an action that has a Probe is asked first. Where the
// run turns back, the step is undone with [Did.InDoubt] set. It returns nil for nil.
func InDoubt(err error) error {
	return says(err, verdictError{effect: domain.EffectInDoubt})
}

// RetryAfter sets the delay before the next attempt, instead of the policy's. It says nothing of the
// effect, nor whether there is a next attempt. It returns nil for nil.
func RetryAfter(d time.Duration, err error) error {
	return says(err, verdictError{after: d})
}

// Commit commits a transaction and says of its failure what is known of it: nothing, because the commit may
// have happened and only its answer been lost. It is for actions that set [Action.FailsCleanly], whose
// other errors mean that nothing was done. The transaction is a *sql.Tx, or whatever has its Commit.
func Commit(tx interface{ Commit() error }) error { return InDoubt(tx.Commit()) }

// EffectOf returns what an error says of its attempt's effect by the functions above, and whether it refuses
// ([Permanent]). Nil, and an error that says nothing, are domain.EffectUnsaid.
func EffectOf(err error) (effect domain.FailureEffect, refused bool) {
	v := said(err)
	return orElse(v.effect, domain.EffectUnsaid), v.retry == retryNever
}

// DelayOf returns the delay that an error asks for with [RetryAfter], or 0.
func DelayOf(err error) time.Duration { return said(err).after }

// verdictError is an error with something said about it. A zero field says nothing.
type verdictError struct {
	err    error
	effect domain.FailureEffect
	retry  retryWord
	after  time.Duration
}

type retryWord uint8

const (
	retryUnsaid retryWord = iota
	retryAsUsual
	retryNever
)

func says(err error, v verdictError) error {
	if err == nil {
		return nil
	}
	v.err = err
	return &v
}

func (e *verdictError) Error() string { return e.err.Error() }
func (e *verdictError) Unwrap() error { return e.err }

// said collects what an error and the errors that it wraps say, the outermost first.
func said(err error) verdictError {
	var v verdictError
	for err != nil {
		if e, ok := err.(*verdictError); ok {
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
func saidTogether(errs []error) verdictError {
	var v verdictError
	silent := false // about a connection, or a context
	for _, err := range errs {
		k := said(err)
		if k.effect == domain.EffectInDoubt {
			v.effect = k.effect
		}
		silent = silent || k.effect == "" && (mayHideSuccess(err) || endedByContext(err))
		v.retry = max(v.retry, k.retry)
		v.after = max(v.after, k.after)
		v = v.orElse(k)
	}
	if silent && v.effect == domain.EffectNotDone {
		v.effect = domain.EffectInDoubt
	}
	return v
}

// orElse fills in what v does not say.
func (v verdictError) orElse(inner verdictError) verdictError {
	v.effect = orElse(v.effect, inner.effect)
	v.retry = orElse(v.retry, inner.retry)
	v.after = orElse(v.after, inner.after)
	return v
}

// effectOf returns what a handler's error says of the attempt's effect. cleanly is [Action.FailsCleanly]. Without a
// word of the author's, the end of the attempt's time is in doubt as a timeout is.
func effectOf(err error, cleanly bool) domain.FailureEffect {
	switch v := said(err); {
	case v.effect != "":
		return v.effect
	case endedByContext(err):
		return domain.EffectInDoubt
	case cleanly && !mayHideSuccess(err):
		return domain.EffectNotDone
	}
	return domain.EffectUnsaid
}

func endedByContext(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// mayHideSuccess reports whether, anywhere in the error's tree, a connection failed: the request may have
// arrived, and only the answer been lost.
func mayHideSuccess(err error) bool {
	var network net.Error // syscall.Errno and *url.Error are among them
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) || driverLostConnection(err)
}

// driverLostConnection reports whether an error, or one that it wraps, is how a database driver tells in its own words that
// the connection broke. A COMMIT whose answer is lost ends so, and it looks like the error of any statement.
func driverLostConnection(err error) bool {
	switch e := err.(type) {
	case interface{ SafeToRetry() bool }: // pgx: "conn closed", which it calls safe to retry after such a COMMIT too
		return true
	case interface{ SQLState() string }: // a broken connection, a server that goes down, completion unknown
		s := e.SQLState()
		return strings.HasPrefix(s, "08") || strings.HasPrefix(s, "57P0") || s == "40003"
	case interface{ Unwrap() error }:
		return driverLostConnection(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), driverLostConnection)
	}
	return err != nil && err.Error() == "invalid connection" // MySQL's driver has no type for it
}
