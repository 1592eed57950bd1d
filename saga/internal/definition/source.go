package definition

import (
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// sourceKind says where a value is found.
type sourceKind uint8

const (
	fromStep sourceKind = iota
	fromChoice
	fromInput
	fromItem
)

// Source is the value behind a Ref: the saga's input, an item of an each, or the output of a step.
type Source struct {
	kind  sourceKind
	name  string
	block *block
	index int   // the step's place in its block; -1 for an input or item
	step  *step // nil for an input or item
}

// Path names the source for people.
func (s *Source) Path() string {
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

// instance returns the path of the source's step in the run, for a read from v's step.
func (s *Source) instance(v Scope) string {
	if !strings.Contains(s.step.key, "*") {
		return s.step.key
	}
	if v.step == nil {
		badRead("%s is inside an Each and is read outside it", s.step.key)
	}
	_, index := v.step.Item()
	var b strings.Builder
	for i, part := range strings.Split(s.step.key, "*") {
		if i > 0 {
			if i > len(index) {
				badRead("%s is inside an Each and is read outside it", s.step.key)
			}
			b.WriteString(strconv.Itoa(index[i-1]))
		}
		b.WriteString(part)
	}
	return b.String()
}

// Raw returns the recorded value and whether there is one. It panics with a [*BadReadError] if the
// run can't have one yet.
func (s *Source) Raw(v Scope) (json.RawMessage, bool) {
	raw, ok := s.find(v)
	v.reads(raw)
	return raw, ok
}

func (s *Source) find(v Scope) (json.RawMessage, bool) {
	if s == nil {
		badRead("a Ref is read that no step made")
	}
	if v.state == nil {
		badRead("a Ref is read outside the function that the Scope was given to")
	}
	switch s.kind {
	case fromInput:
		return v.state.Start.Input, true
	case fromItem:
		if v.step == nil {
			badRead("%s is read outside its Each", s.Path())
		}
		return v.step.ItemAt(s.block.names.depth - 1), true
	}
	path := s.instance(v)
	st := v.state.Step(path)
	if st == nil {
		badRead("the output of %s is read, but the run has not reached it", path)
	}
	switch st.Phase {
	case machine.Done:
	case machine.Skipped, machine.Ignored:
		return nil, false
	default:
		badRead("the output of %s is read, but the step is %s", path, st.Phase)
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

// Failed yields the items of an each that failed, in order, with their causes.
func (s *Source) Failed(v Scope) iter.Seq2[int, *domain.Failure] {
	return func(yield func(int, *domain.Failure) bool) {
		if _, ok := s.Raw(v); !ok {
			return
		}
		for i, k := range v.state.Step(s.instance(v)).Kids() {
			if k != nil && k.Phase == machine.Done {
				continue
			}
			var cause *domain.Failure
			if k != nil {
				cause = k.Cause
			}
			if cause != nil {
				v.reads(json.RawMessage(cause.Message))
			}
			if !yield(i, cause) {
				return
			}
		}
	}
}

// Read returns the recorded value as a T; it is T's zero value if the step was ignored, skipped or
// not chosen. It panics as Raw does, and also if the value can't be read as a T.
func Read[T any](s *Source, v Scope) T {
	raw, _ := s.Raw(v)
	value, err := payload.DecodeOnce[T](v.memo, raw)
	if err != nil {
		badRead("output of %s: %v", s.Path(), err)
	}
	return value
}

func badRead(format string, args ...any) {
	panic(&BadReadError{fmt.Sprintf(format, args...)})
}

// rawValue is the expression that passes the source on.
func (s *Source) rawValue(v Scope) (json.RawMessage, error) {
	raw, ok := s.Raw(v)
	if !ok || len(raw) == 0 {
		return json.RawMessage("null"), nil
	}
	return raw, nil
}

// hiddenFrom returns why a step can't read the source, or "" if it can.
func (s *Source) hiddenFrom(st *step) string {
	if rootOf(s.block) != rootOf(st.blk) {
		return "which belongs to another saga"
	}
	// at maps every block around the reader to the reader's position in it.
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

// childOn returns the block directly below outer on the path to inner.
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
