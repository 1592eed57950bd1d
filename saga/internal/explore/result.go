package explore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

// Result is what a search found.
type Result struct {
	// Schedules is how many were played, by the number of their choices.
	Schedules []int
	// Of is how many there are with one and with two choices; what was not tried is missing in
	// Schedules.
	Of []int
	// Points is how many different points came up.
	Points int
	// States is how many states were visited, and Merged how many schedules came to one that
	// another was in before, so that what follows was known. NoFingerprint means that the world
	// has none, so that states can't be told from each other.
	States, Merged int
	NoFingerprint  bool
	Matrix         *Matrix
	// LeftOut says which answers the world never gave, because the author says so.
	LeftOut []string
	// Broken is the shortest schedule that breaks an invariant; nil for none. Others counts the
	// further ones, which break the same or another.
	Broken *Broken
	Others int
	// Waiting are the waits that nothing ends, each once.
	Waiting []string
	// Replayed means that one schedule was played. Broken then has its story, and an invariant only
	// if one was broken.
	Replayed bool
	// Cut means that the time was over before all was tried.
	Cut bool
	// Unreached are choices of a replayed schedule that never came up, Misfits those of answers
	// that can't be given there.
	Unreached []string
	Misfits   []Misfit
	// Never has what no run came to, and the checks that were never made, each with the reason.
	Never []string
	// Took is how long it took.
	Took time.Duration
}

// Broken is a schedule that breaks an invariant.
type Broken struct {
	Schedule  Schedule
	Violation Violation
	Story     string
}

// Total is how many schedules were played.
func (r *Result) Total() (n int) {
	for _, k := range r.Schedules {
		n += k
	}
	return n
}

// Complete reports whether every schedule with one choice, and with two where two were asked for,
// was played.
func (r *Result) Complete() bool {
	for i, of := range r.Of {
		if r.Schedules[i+1] < of {
			return false
		}
	}
	return !r.Cut
}

// never says what no run came to, and which checks were never made.
func (s *search) never(x *scene) []string {
	plans := []*domain.Plan{x.sub.Saga.Plan}
	for _, d := range x.sub.Registry.Sagas() {
		if d.Plan.Hash() != x.sub.Saga.Plan.Hash() {
			plans = append(plans, d.Plan)
		}
	}
	list := s.cfg.reached.Missing(plans[0], plans...)
	for _, c := range x.sub.Checks {
		if !s.cfg.reached.Checked(c.Name) {
			list = append(list, fmt.Sprintf("%q was never evaluated: %s", c.Name, s.whyNot(c.When)))
		}
	}
	if stopped := s.res.stopped(s.cfg); stopped != "" { // up: a result tells why it is not whole
		for i := range list {
			list[i] += "; " + stopped
		}
	}
	return list
}

// whyNot says why a check of that time was never made.
func (s *search) whyNot(w When) string {
	is := map[When]string{AtEachEnd: "ended", WhenCompleted: "completed", WhenUndone: "was undone", Always: "called a handler"}[w]
	if got := &s.cfg.reached; w == WhenCompleted && got.Ended(domain.RunIsCompleted) || w == WhenUndone && (got.Ended(domain.RunIsCompensated) || got.Ended(domain.RunIsCancelled)) {
		return "not all runs " + is + " without a person's word"
	}
	return "no run " + is
}

// comesToRest says how the first run stands at the end.
func (x *scene) comesToRest() string {
	s := x.runs[0].s
	var why []string
	if s.Cause != nil {
		why = append(why, s.Cause.Message)
	}
	if s.End == "" {
		s.StuckSteps(func(st *machine.Step) {
			if st.Cause != nil {
				why = append(why, st.Path+": "+st.Cause.Message)
			}
		})
		for _, w := range explain.Why(s, x.now).Waits {
			why = append(why, w.Headline)
		}
	}
	slices.Sort(why)
	return fmt.Sprintf("is %s: %s", s.Status(), strings.Join(slices.Compact(why), "; "))
}
