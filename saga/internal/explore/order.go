package explore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/saga/internal/explore/strand"
)

// nextFlight chooses the attempt that moves next: the one that was put aside last, else the one
// that was started first, of the run that moved last.
func (x *scene) nextFlight() *flight {
	ready := x.ready()
	if len(ready) == 0 {
		return nil
	}
	if fl := x.preferred; fl != nil {
		x.preferred = nil
		if slices.Contains(ready, fl) {
			return fl
		}
	}
	if n := len(x.aside); n > 0 {
		last := x.aside[n-1]
		return cmp.Or(x.chooseBefore(last, ready, fmt.Sprintf("%s > %d", last.name, last.edges), betweenEdges), last)
	}
	next := ready[0]
	if len(x.cfg.Inputs) > 1 {
		next = x.chooseRun(ready)
	}
	var same []*flight
	for _, fl := range ready {
		if fl.run.root() == next.run.root() {
			same = append(same, fl)
		}
	}
	return cmp.Or(x.chooseBefore(next, same, next.name, "order"), next)
}

// betweenEdges is what an order of attempts is called that puts one aside at an edge.
const betweenEdges = "order between edges"

// chooseBefore returns the attempt that the schedule has move before next, nil if there is none. at
// says where next stands.
func (x *scene) chooseBefore(next *flight, ready []*flight, at, what string) *flight {
	if len(ready) < 2 {
		return nil
	}
	others := make([]Answer, 0, len(ready)-1)
	for _, fl := range ready {
		if fl != next {
			others = append(others, Answer(firstOf+fl.name))
		}
	}
	if a := x.choose(orderAt+at, others, what); a != OK {
		for _, fl := range ready {
			if string(a) == firstOf+fl.name {
				return fl
			}
		}
	}
	return nil
}

const orderAt = "order at "

// carryOut carries out an attempt. If the schedule puts it aside at an edge, that takes a
// goroutine.
func (x *scene) carryOut(fl *flight) {
	for at := range x.plan {
		if strings.HasPrefix(at, orderAt+fl.name+" > ") {
			fl.strand = new(strand.Strand)
			fl.strand.Start(func() { x.attempt(fl) })
			return
		}
	}
	x.attempt(fl)
}

// putAside reports whether the schedule has another attempt move before the handler of this one
// crosses its next edge.
func (x *scene) putAside(fl *flight) bool {
	if len(x.flights) < 2 {
		return false
	}
	other := x.chooseBefore(fl, x.ready(), fmt.Sprintf("%s > %d", fl.name, fl.edges), betweenEdges)
	if other == nil || fl.strand == nil {
		return false
	}
	x.aside, x.preferred, x.calls = append(x.aside, fl), other, nil
	return true
}

// goOn lets the handler of an attempt go on that was put aside.
func (x *scene) goOn(fl *flight) {
	x.aside = slices.DeleteFunc(x.aside, func(other *flight) bool { return other == fl })
	x.say("the handler of " + fl.kind + " goes on")
	fl.strand.Resume()
}

// endAside has the handlers that were put aside end with their process: what they do has no effect.
func (x *scene) endAside() {
	for len(x.aside) > 0 {
		fl := x.aside[len(x.aside)-1]
		fl.dead, fl.fate = true, Died
		x.goOn(fl)
	}
}

// ready lists the attempts that can be carried out, or go on.
func (x *scene) ready() (list []*flight) {
	for _, fl := range x.flights {
		if !fl.silent && fl.report == nil {
			list = append(list, fl)
		}
	}
	return list
}

// chooseRun stays with the run that moves, unless the schedule has the other one move.
func (x *scene) chooseRun(ready []*flight) *flight {
	mine, others := x.firstOf(ready, x.turn)
	switch {
	case mine == nil:
		x.turn = x.indexOf(others.run.root())
		return others
	case others == nil:
		return mine
	}
	if x.choose("before "+mine.name, []Answer{SwitchRun}, "order of runs") == SwitchRun {
		x.turn = x.indexOf(others.run.root())
		return others
	}
	return mine
}

func (x *scene) firstOf(ready []*flight, turn int) (mine, others *flight) {
	for _, fl := range ready {
		if fl.run.root() == x.runs[turn] {
			if mine == nil {
				mine = fl
			}
		} else if others == nil {
			others = fl
		}
	}
	return mine, others
}

func (x *scene) indexOf(r *run) int {
	for i, other := range x.runs {
		if other == r {
			return i
		}
	}
	return 0
}

func (x *scene) heldBack() *flight {
	for _, fl := range x.flights {
		if fl.report != nil {
			return fl
		}
	}
	return nil
}
