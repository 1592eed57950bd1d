package saga

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
)

// Scope is what an expression sees of its run: the outputs of earlier steps, read with [Ref.In]. It
// is valid during the call only.
type Scope struct{ in definition.Scope }

// Ref stands for a value that a run will have: the saga's input, an item of an Each, the output
// of a step. It is read with In, in the functions that compute later steps' inputs. Where it
// may be read is checked by [Define]: after its step, not outside the branch or Each that the step
// is in, not beside it in a Parallel.
type Ref[T any] struct{ src *definition.Source }

// In returns the value in the run that v shows. For a step that was ignored after a failure,
// skipped by a person, or, with [Choose], not chosen, that is T's zero value; Ok tells. A value
// that can't be read as T, or a step that was never reached, blocks the run: the saga's code is
// wrong, and the run goes on once mended code is deployed.
//
// Each call decodes the recorded JSON anew. Where the body of an [Each] needs a little of
// something large, take it out before, with [Compute].
func (r Ref[T]) In(v Scope) T {
	if v.in.Tries(r.src) {
		return definition.MadeUp[T]()
	}
	return definition.Read[T](r.src, v.in)
}

// Ok reports whether the run has the value: whether the step was done, not ignored or skipped.
func (r Ref[T]) Ok(v Scope) bool {
	if v.in.Tries(r.src) {
		return true
	}
	_, ok := r.src.Raw(v.in)
	return ok
}

// EachRef is the Ref of an Each: the outputs in the order of the items. An item that failed
// within the tolerated number has the zero value there.
type EachRef[R any] struct{ Ref[[]R] }

// ItemFailure is an item of an Each that failed and was undone, within the tolerated number.
type ItemFailure struct {
	Item  int
	Cause *domain.Failure
}

// Failed returns the items that failed, in order.
func (r EachRef[R]) Failed(v Scope) []ItemFailure {
	if v.in.Tries(r.src) {
		return []ItemFailure{{Cause: &domain.Failure{}}}
	}
	var out []ItemFailure
	for i, cause := range r.src.Failed(v.in) {
		out = append(out, ItemFailure{Item: i, Cause: cause})
	}
	return out
}
