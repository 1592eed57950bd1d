package explore

import (
	"time"

	inner "github.com/atonehq/atone/saga/internal/explore"
)

// Result is what a search found.
type Result struct {
	// Schedules is how many were played, by how many things go wrong in them.
	Schedules []int
	// Of is how many there are in which one thing goes wrong, and in which two do.
	Of []int
	// Points is how many different points came up at which something can go wrong.
	Points int
	// States is how many states were visited, and Merged how many schedules came to one that
	// another was in before, so that what follows was known. Both are 0 if the world has no
	// Fingerprint.
	States, Merged int
	// LeftOut are the answers that options say the world never gives.
	LeftOut []string
	// Answers is what was answered where.
	Answers []Line
	// Broken is the shortest schedule that breaks something; nil for none. Of a replay it has the
	// story even if nothing is broken.
	Broken *Broken
	// Others counts the further schedules that break something.
	Others int
	// Waiting are the waits that nothing ends.
	Waiting []string
	// Never has what no run came to, and the checks that were never made, each with the reason.
	Never []string
	// Replayed means that one schedule was played. Unreached are choices of it that never came up,
	// and Misfits say of which the answer can't be given there.
	Replayed           bool
	Unreached, Misfits []string
	// Took is how long it took.
	Took time.Duration

	in *inner.Result
}

// Broken is a schedule that breaks something.
type Broken struct {
	// Invariant is what it breaks, and Text how; empty where a replay breaks nothing.
	Invariant, Text string
	// Schedule is to be given to a replay; "none" where nothing goes wrong.
	Schedule string
	// Story is what happens.
	Story string
}

// Line says which answers of the world at one place the saga held, or not.
type Line struct {
	At                    string
	Held, Broken, Untried []Answer
	// Why has the reason for each of Untried.
	Why []string
	// Unjudged were given, and nothing tells whether the saga held: the world has no Fingerprint.
	Unjudged []Answer
}

func resultOf(r *inner.Result) *Result {
	out := &Result{Schedules: r.Schedules, Of: r.Of, Points: r.Points, States: r.States, Merged: r.Merged, LeftOut: r.LeftOut, Others: r.Others, Waiting: r.Waiting, Never: r.Never, Replayed: r.Replayed,
		Unreached: r.Unreached, Took: r.Took, in: r}
	for _, m := range r.Misfits {
		out.Misfits = append(out.Misfits, m.String())
	}
	for _, l := range r.Matrix.Lines() {
		out.Answers = append(out.Answers, Line(l))
	}
	if b := r.Broken; b != nil {
		out.Broken = &Broken{b.Violation.Invariant, b.Violation.Text, b.Schedule.String(), b.Story}
	}
	return out
}

// Breaks reports whether something is broken.
func (r *Result) Breaks() bool { return r.Broken != nil && r.Broken.Invariant != "" }

// Complete reports whether every schedule was played that was asked for, those with more than two
// faults apart. A search that found something broken plays no longer ones.
func (r *Result) Complete() bool { return !r.Replayed && r.in.Complete() }

// Total is how many schedules were played.
func (r *Result) Total() int { return r.in.Total() }

// Summary says in a few lines what was played and what held.
func (r *Result) Summary() string { return r.in.Summary() }

// Failure tells the shortest schedule that breaks something.
func (r *Result) Failure() string { return r.in.Failure() }

// Page writes the result as a page of HTML that needs nothing else.
func (r *Result) Page(title string) []byte { return r.in.Page(title) }
