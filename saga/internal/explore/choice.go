package explore

import (
	"fmt"
	"slices"
	"strings"
)

// choose returns the schedule's answer at a point, [OK] where it has none, or one that is neither
// among others nor among those that the point may have besides.
func (x *scene) choose(at string, others []Answer, what string, besides ...Answer) Answer {
	if n := x.counts[at] + 1; n > 1 {
		x.counts[at] = n
		at = fmt.Sprintf("%s (%d)", at, n)
	} else {
		x.counts[at] = 1
	}
	given := OK
	if a, ok := x.plan[at]; ok {
		delete(x.plan, at)
		if !slices.Contains(others, a) && !slices.Contains(besides, a) {
			x.misfits = append(x.misfits, Misfit{Choice{at, a}, others})
		} else {
			given = a
			x.say("► " + at + " = " + string(a))
		}
	}
	x.trace = append(x.trace, passed{at: at, others: others, given: given, action: what})
	return given
}

// goesOn returns the answer that an earlier attempt's answer says for this one too.
func (x *scene) goesOn(at string, fl *flight) (Answer, bool) {
	a, ok := x.sticky[at]
	if !ok {
		return OK, false
	}
	if a.extent() == untilLast && fl.left() == 1 {
		return OK, true
	}
	return a.base(), true
}

// keep notes an answer that goes on.
func (x *scene) keep(at string, a Answer) {
	if a.extent() != "" {
		x.sticky[at] = a
	}
}

func (x *scene) violate(v *Violation) {
	if x.broken == nil {
		x.broken = v
	}
}

// stickyAt names what an answer that goes on is given at.
func stickyAt(at string) string { name, _, _ := strings.Cut(at, " #"); return name }

// gives reports whether the world can give the answer at all.
func (x *scene) gives(fl *flight, a Answer) bool {
	return !slices.Contains(x.cfg.Without, a) && !slices.Contains(x.cfg.WithoutIn[fl.task.Action], a)
}

// left returns how many attempts there are at the most, with this one, before a person is asked.
func (fl *flight) left() int {
	st := fl.run.s.Step(fl.task.Step)
	policy, _ := st.Policy().For(fl.task.Direction)
	since := fl.task.Attempt - 1 - st.Tries(fl.task.Direction).Base
	return max(policy.MaxAttempts-since, 1)
}
