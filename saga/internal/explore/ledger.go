package explore

import (
	"cmp"
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// entry is one call of a handler.
type entry struct {
	run      *run
	step     string
	dir      domain.Direction
	attempt  int
	key      string
	inDoubt  bool // the undo was told so
	happened bool // the handler reported success, so its effect took place
	maybe    bool // it failed after something of it had crossed an edge
}

// ledger lists the calls of handlers in the order in which they took place. What it knows of
// effects is what handlers themselves say.
type ledger []entry

// last returns the place of the last effect of a step in a direction, -1 for none.
func (l ledger) last(r *run, step string, dir domain.Direction) int {
	for i := len(l) - 1; i >= 0; i-- {
		if e := &l[i]; e.run == r && e.dir == dir && e.happened && e.step == step {
			return i
		}
	}
	return -1
}

// first returns the place of the first call of a step in a direction, -1 for none.
func (l ledger) first(r *run, step string, dir domain.Direction) int {
	for i := range l {
		if e := &l[i]; e.run == r && e.dir == dir && e.step == step {
			return i
		}
	}
	return -1
}

// stands reports whether an effect of the step's do was not taken back after it.
func (l ledger) stands(r *run, step string) bool {
	do := l.last(r, step, domain.Do)
	return do >= 0 && l.last(r, step, domain.Undo) < do
}

// mayStand is stands, or that a failed do may have had an effect.
func (l ledger) mayStand(r *run, step string) bool {
	if l.stands(r, step) {
		return true
	}
	for i := range l {
		if e := &l[i]; e.run == r && e.step == step && e.dir == domain.Do && e.maybe {
			return true
		}
	}
	return false
}

// effectful reports whether the step has an action whose do changes something.
func effectful(st *machine.Step) bool {
	return st.Node.Action != nil && !st.Handler && st.Node.Action.Effect != domain.EffectNone
}

// sum is what the ledger says of one step: the places of the first call of its do, and of the last
// effects of its do and its undo, -1 for none.
type sum struct {
	run                 *run
	step, key           string
	first, last, undone int
	maybe, undoFailed   bool
}

// sums sums the ledger up, in the order of runs and steps.
func (l ledger) sums() []sum {
	var list []sum
	for i := range l {
		e := &l[i]
		at := slices.IndexFunc(list, func(s sum) bool { return s.run == e.run && s.step == e.step })
		if at < 0 {
			at = len(list)
			list = append(list, sum{run: e.run, step: e.step, first: -1, last: -1, undone: -1})
		}
		s := &list[at]
		switch {
		case e.dir == domain.Undo && e.happened:
			s.undone = i
		case e.dir == domain.Undo:
			s.undoFailed = true
		case e.dir == domain.Do:
			if s.key = e.key; s.first < 0 {
				s.first = i
			}
			if e.happened {
				s.last = i
			}
			s.maybe = s.maybe || e.maybe
		}
	}
	slices.SortFunc(list, func(a, b sum) int {
		return cmp.Or(cmp.Compare(a.run.id, b.run.id), cmp.Compare(a.step, b.step))
	})
	return list
}
