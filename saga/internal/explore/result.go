package explore

import "time"

// Result is what a search found.
type Result struct {
	// Schedules is how many were played, by the number of their choices.
	Schedules []int
	// Of is how many there are with one and with two choices; what was not tried is missing in
	// Schedules.
	Of []int
	// Points is how many different points came up.
	Points int
	// States is how many states were visited, and Merged how many schedules came to one that another
	// was in before, so that what follows was known. NoFingerprint means that the world has none, so
	// that states can't be told from each other.
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
	// Unreached are choices of a replayed schedule that never came up.
	Unreached []string
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
