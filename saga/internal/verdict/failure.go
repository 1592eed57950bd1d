package verdict

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
)

// Failure describes an error that a handler returned. permanent means that the action names the
// error as one not to retry.
func Failure(err error, step string, permanent bool) *domain.Failure {
	v := Of(err)
	f := &domain.Failure{Kind: domain.FailureRetryable, Step: step, Message: domain.ShortMessage(err.Error()), Type: TypeOf(err), RetryAfter: domain.Duration(v.After)}
	switch {
	case permanent || v.Retry == RetryNever:
		f.Kind = domain.FailurePermanent
	case errors.Is(err, context.DeadlineExceeded) && v.Effect != domain.EffectNotDone:
		f.Kind = domain.FailureTimedOut
	}
	return f
}

// EffectOf returns what a handler's error says of its attempt's effect. cleanly means that the
// action fails cleanly: its errors mean that nothing was done, except those of a connection or a
// context.
func EffectOf(err error, cleanly bool) domain.FailureEffect {
	switch v := Of(err); {
	case v.Effect != "":
		return v.Effect
	case endedByContext(err):
		return domain.EffectInDoubt // as a timeout is
	case cleanly && !mayHideSuccess(err):
		return domain.EffectNotDone
	}
	return domain.EffectUnsaid
}

// TypeOf returns the Go type of an error, below the verdicts around it.
func TypeOf(err error) string {
	for {
		v, ok := err.(*Error)
		if !ok {
			return fmt.Sprintf("%T", err)
		}
		err = v.err
	}
}
