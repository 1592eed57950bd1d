package saga

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Ref stands for a value that a run will have: the saga's input, an item of an Each, the output
// of a step. It is read with In, in the functions that compute later steps' inputs. Where it
// may be read is checked by [Define]: after its step, not outside the branch or Each that the step
// is in, not beside it in a Parallel.
type Ref[T any] struct{ src *source }

// In returns the value in the run that v shows. For a step that was ignored after a failure,
// skipped by a person, or, with [Choose], not chosen, that is T's zero value; Ok tells. A value
// that can't be read as T, or a step that was never reached, is a panic, which fails the step
// that asks for good.
//
// Each call decodes the recorded JSON anew. Where the body of an [Each] needs a little of
// something large, take it out before, with [Compute].
func (r Ref[T]) In(v Scope) T {
	if v.probe != nil {
		v.probe.read = append(v.probe.read, r.src)
		return madeUp[T]()
	}
	raw, _ := r.src.raw(v)
	val, err := decode[T](raw)
	if err != nil {
		panic(fmt.Sprintf("output of %s: %v", r.src.path(), err))
	}
	return val
}

// Ok reports whether the run has the value: whether the step was done, not ignored or skipped.
func (r Ref[T]) Ok(v Scope) bool {
	if v.probe != nil {
		v.probe.read = append(v.probe.read, r.src)
		return true
	}
	_, ok := r.src.raw(v)
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
	if v.probe != nil {
		v.probe.read = append(v.probe.read, r.src)
		return []ItemFailure{{Cause: &domain.Failure{}}}
	}
	if _, ok := r.src.raw(v); !ok {
		return nil
	}
	var out []ItemFailure
	for i, k := range v.state.Step(r.src.instance(v)).Kids() {
		if k == nil || k.Phase != machine.Done {
			f := ItemFailure{Item: i}
			if k != nil {
				f.Cause = k.Cause
			}
			out = append(out, f)
		}
	}
	return out
}

// sourceKind says where a value is found.
type sourceKind uint8

const (
	fromStep sourceKind = iota
	fromChoice
	fromInput
	fromItem
)

// source is what a Ref refers to.
type source struct {
	kind  sourceKind
	name  string
	block *block
	index int   // the step's place in its block; -1 for an input or item
	step  *step // nil for an input or item
}

// path names the source for people.
func (s *source) path() string {
	switch {
	case s == nil:
		return "a Ref that no step made"
	case s.kind == fromInput:
		return "the saga's input"
	case s.kind == fromItem:
		return "the item of " + s.block.owner.key
	}
	return s.step.key
}

// instance returns the path of the source's step in the run, seen from v's step.
func (s *source) instance(v Scope) string {
	if !strings.Contains(s.step.key, "*") {
		return s.step.key
	}
	if v.step == nil {
		panic(fmt.Sprintf("%s is inside an Each and is read outside it", s.step.key))
	}
	_, index := v.step.Item()
	var b strings.Builder
	for i, part := range strings.Split(s.step.key, "*") {
		if i > 0 {
			if i > len(index) {
				panic(fmt.Sprintf("%s is inside an Each and is read outside it", s.step.key))
			}
			b.WriteString(strconv.Itoa(index[i-1]))
		}
		b.WriteString(part)
	}
	return b.String()
}

// raw returns the recorded value and whether there is one.
func (s *source) raw(v Scope) (json.RawMessage, bool) {
	if s == nil {
		panic("a Ref is read that no step made")
	}
	if v.state == nil {
		panic("a Ref is read outside the function that the Scope was given to")
	}
	switch s.kind {
	case fromInput:
		return v.state.Start.Input, true
	case fromItem:
		if v.step == nil {
			panic(s.path() + " is read outside its Each")
		}
		return v.step.ItemAt(s.block.names.depth - 1), true
	}
	path := s.instance(v)
	st := v.state.Step(path)
	if st == nil {
		panic(fmt.Sprintf("the output of %s is read, but the run has not reached it", path))
	}
	switch st.Phase {
	case machine.Done:
	case machine.Skipped, machine.Ignored:
		return nil, false
	default:
		panic(fmt.Sprintf("the output of %s is read, but the step is %s", path, st.Phase))
	}
	if s.kind == fromChoice && len(st.Output) == 0 {
		kids := st.Kids()
		if len(kids) == 0 || len(kids[0].Output) == 0 {
			return nil, false
		}
		return kids[0].Output, true
	}
	return st.Output, true
}

// rawValue is the expression that passes the source on.
func (s *source) rawValue(v Scope) (json.RawMessage, error) {
	raw, ok := s.raw(v)
	if !ok || len(raw) == 0 {
		return json.RawMessage("null"), nil
	}
	return raw, nil
}

// hiddenFrom returns why a step can't read the source, or nothing if it can.
func (s *source) hiddenFrom(st *step) string {
	if rootOf(s.block) != rootOf(st.blk) {
		return "which belongs to another saga"
	}
	// at maps every block around the reader to its place there.
	at := map[*block]int{}
	for blk, i := st.blk, st.index; ; blk, i = blk.owner.blk, blk.owner.index {
		at[blk] = i
		if blk.owner == nil {
			break
		}
	}
	for blk, i := s.block, s.index; ; blk, i = blk.owner.blk, blk.owner.index {
		j, around := at[blk]
		switch {
		case around && i < j:
			return ""
		case around && i == j && s.block == blk:
			return "which is its own output"
		case around && i == j:
			if blk := childOn(s.block, blk); blk.kind == blockParallel {
				return fmt.Sprintf("which runs beside it in %s", blk.owner.key)
			}
			return fmt.Sprintf("which is in another branch of %s", childOn(s.block, blk).owner.key)
		case around:
			return "which comes after it"
		case blk.kind == blockEach:
			return fmt.Sprintf("which exists only inside %s, once for each item", blk.owner.key)
		case blk.kind == blockSwitch && !branchOf(at, blk.owner):
			return fmt.Sprintf("which exists only inside the branch %q of %s: use saga.Choose to bring a value out", blk.label, blk.owner.key)
		}
	}
}

// branchOf reports whether the reader is inside the step too, in another branch of it.
func branchOf(at map[*block]int, owner *step) bool {
	i, around := at[owner.blk]
	return around && i == owner.index
}

// childOn returns the block on the way from outer down to inner.
func childOn(inner, outer *block) *block {
	for inner.owner.blk != outer {
		inner = inner.owner.blk
	}
	return inner
}

func rootOf(blk *block) *block {
	for blk.owner != nil {
		blk = blk.owner.blk
	}
	return blk
}
