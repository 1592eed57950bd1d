package saga

import (
	"cmp"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/afresh"
	"github.com/atonehq/atone/saga/internal/holds"
	"github.com/atonehq/atone/saga/internal/verdict"
	"github.com/atonehq/atone/saga/machine"
)

// Errors that callers branch on, with errors.Is. They are the values of the inner packages.
var (
	// ErrNotFound means that the log has no such run.
	ErrNotFound = domain.ErrNotFound
	// ErrUnknownAction and ErrUnknownSaga mean that nothing of that name is registered here.
	ErrUnknownAction = domain.ErrUnknownAction
	ErrUnknownSaga   = domain.ErrUnknownSaga
	// ErrKeyConflict means that the key was used before with another input.
	ErrKeyConflict = domain.ErrKeyConflict
	// ErrPlanChanged means that a registered name and version has another plan in the log.
	ErrPlanChanged = domain.ErrPlanChanged
	// ErrNotRunning means that the coordinator's Run is not running, or is stopping.
	ErrNotRunning = domain.ErrNotRunning
	// ErrBadInput means that an input does not fit its type; nothing was written.
	ErrBadInput = domain.ErrBadInput
	// ErrUnreadable means that this program can't read a run, a plan or a saga's versions in the
	// log: a newer program wrote them, or they are damaged. Only runs that depend on them wait. For
	// a run the error is an [*UnreadableError].
	ErrUnreadable = domain.ErrUnreadable

	// ErrEnded, ErrNotEnded, ErrPastPivot, ErrTurnedBack, ErrNoStep and ErrNotStuck refuse an
	// operation on a run, ErrHeld and ErrNotHeld one on an action.
	ErrEnded      = machine.ErrEnded
	ErrNotEnded   = afresh.ErrNotEnded
	ErrHeld       = holds.ErrHeld
	ErrNotHeld    = holds.ErrNotHeld
	ErrPastPivot  = machine.ErrPastPivot
	ErrTurnedBack = machine.ErrTurnedBack
	ErrNoStep     = machine.ErrNoStep
	ErrNotStuck   = machine.ErrNotStuck
)

// The errors of [Run.Wait] for runs that did not complete.
type (
	// CompensatedError is the error of a run that failed and was cleanly undone: read its Cause,
	// mend that, and start anew.
	CompensatedError = domain.CompensatedError
	// CancelledError is the error of a run that was cancelled and cleanly undone: nothing is left
	// to do.
	CancelledError = domain.CancelledError
	// StuckError is the error of a run that needs a person. The run is not over: after somebody has
	// retried, resolved or abandoned it, wait again.
	StuckError = domain.StuckError
	// AbandonedError is the error of a run that a person closed with effects left: Left lists them.
	AbandonedError = domain.AbandonedError
	// UnreadableError says why this program can't read a run. Start a program that can.
	UnreadableError = domain.UnreadableError
)

// An error that a handler returns says that the attempt failed. It does not say that nothing was
// done: the answer may have been lost on its way back. So an error is in doubt unless one of the
// functions below says otherwise. They wrap the error: errors.Is and errors.As see through them,
// and the text stays the same.
//
// They may be nested; the outermost counts. InDoubt(Permanent(err)) is in doubt and, as InDoubt
// says nothing of retries, not retried. Among joined errors (errors.Join, several %w), one in doubt
// outweighs those that say that nothing was done. So does a plain error of a connection or a
// context: the verdict of another call does not cover it.

// Permanent says that nothing was done and that a retry would not help. The step fails at once.
// Permanent returns nil for nil.
func Permanent(err error) error { return verdict.Permanent(err) }

// NothingDone says that the attempt did nothing, such as when the connection was refused. It is
// retried, and if the retries are used up there is nothing to undo. It returns nil for nil.
func NothingDone(err error) error { return verdict.NothingDone(err) }

// InDoubt says that the effect may have happened, for example because a commit failed or a
// connection broke after the request was sent. A plain error is in doubt too and is retried with
// the same idempotency key; after InDoubt, an action's Probe is called before the retry. If the run
// turns back, the step is undone with [Did.InDoubt] set. InDoubt returns nil for nil.
func InDoubt(err error) error { return verdict.InDoubt(err) }

// RetryAfter sets the delay before the next attempt, in place of the policy's. It says nothing of
// the effect and adds no attempt. It returns nil for nil.
func RetryAfter(d time.Duration, err error) error { return verdict.RetryAfter(d, err) }

// Commit commits a transaction and marks a failure as in doubt, because the commit may have
// happened and only its answer been lost. It is for actions that set [Action.FailsCleanly], whose
// other errors mean that nothing was done. The transaction is a *sql.Tx, or anything with its
// Commit method.
func Commit(tx interface{ Commit() error }) error { return verdict.Commit(tx) }

// EffectOf returns the verdict that the functions above gave to an error, and whether it is
// [Permanent]. For nil and plain errors, effect is domain.EffectUnsaid.
func EffectOf(err error) (effect domain.FailureEffect, refused bool) {
	v := verdict.Of(err)
	return cmp.Or(v.Effect, domain.EffectUnsaid), v.Retry == verdict.RetryNever
}

// DelayOf returns the delay that an error asks for with [RetryAfter], or 0.
func DelayOf(err error) time.Duration { return verdict.Of(err).After }
