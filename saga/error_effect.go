package saga

import (
	"cmp"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/verdict"
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
func Permanent(err error) error { return verdict.Permanent(err) }

// NothingDone says that the attempt did nothing, such as when the connection was refused. It is retried,
// and if the retries are used up there is nothing to undo. It returns nil for nil.
func NothingDone(err error) error { return verdict.NothingDone(err) }

// InDoubt says outright that the effect may have happened all the same, such as when a commit failed or a
// connection broke after the request was sent. An error that says nothing is in doubt too and is
// retried with the same idempotency key; after InDoubt an action that has a Probe is asked first. Where the
// run turns back, the step is undone with [Did.InDoubt] set. It returns nil for nil.
func InDoubt(err error) error { return verdict.InDoubt(err) }

// RetryAfter sets the delay before the next attempt, instead of the policy's. It says nothing of the
// effect, nor whether there is a next attempt. It returns nil for nil.
func RetryAfter(d time.Duration, err error) error { return verdict.RetryAfter(d, err) }

// Commit commits a transaction and says of its failure what is known of it: nothing, because the commit may
// have happened and only its answer been lost. It is for actions that set [Action.FailsCleanly], whose
// other errors mean that nothing was done. The transaction is a *sql.Tx, or whatever has its Commit.
func Commit(tx interface{ Commit() error }) error { return verdict.Commit(tx) }

// EffectOf returns what an error says of its attempt's effect by the functions above, and whether it refuses
// ([Permanent]). Nil, and an error that says nothing, are domain.EffectUnsaid.
func EffectOf(err error) (effect domain.FailureEffect, refused bool) {
	v := verdict.Of(err)
	return cmp.Or(v.Effect, domain.EffectUnsaid), v.Retry == verdict.RetryNever
}

// DelayOf returns the delay that an error asks for with [RetryAfter], or 0.
func DelayOf(err error) time.Duration { return verdict.Of(err).After }
