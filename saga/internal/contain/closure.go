package contain

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/hands"
	"github.com/atonehq/atone/saga/internal/verdict"
)

// ClosureLimit is how long a saga's code may take to compute a value.
const ClosureLimit = 10 * time.Second

// Closure calls a saga's code for the step at path. An error, or a call that does not return,
// becomes a permanent failure of that step, whose Type is then one of the kinds ([Panics], [Exits],
// [Hangs]). The pool is where the code runs; nil means a goroutine of its own.
func Closure[T any](pool *hands.Pool, path string, f func() (T, error)) (T, *domain.Failure) {
	value, err := CallOn(pool, ClosureLimit, f)
	return value, Failure(path, err)
}

// Failure describes why a saga's code for the step at path failed, as a permanent failure; nil for
// nil.
func Failure(path string, err error) *domain.Failure {
	if err == nil {
		return nil
	}
	failure := &domain.Failure{Kind: domain.FailurePermanent, Step: path}
	if bad, ok := err.(*MisbehavedError); ok {
		failure.Message, failure.Type, failure.Stack = domain.ShortMessage("the saga's code for this step "+bad.How), bad.Kind, bad.Stack
	} else {
		failure.Message, failure.Type = domain.ShortMessage("the saga's code for this step failed: "+err.Error()), verdict.TypeOf(err)
	}
	return failure
}
