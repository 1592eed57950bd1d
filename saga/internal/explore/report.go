package explore

import (
	"fmt"
	"strings"
	"time"
)

// Summary says in a few lines what was played and what held.
func (r *Result) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %v", r.counts(), r.Took.Round(time.Millisecond))
	for _, w := range r.Waiting {
		fmt.Fprintf(&b, "\nnote: a run can wait for ever: %s", w)
	}
	for _, n := range r.Never {
		fmt.Fprintf(&b, "\nnote: %s", n)
	}
	if len(r.LeftOut) > 0 {
		fmt.Fprintf(&b, "\nleft out: %s", strings.Join(r.LeftOut, ", "))
	}
	fmt.Fprintf(&b, "\n%s", r.Matrix.Text())
	return b.String()
}

// counts says how many schedules were played of how many there are.
func (r *Result) counts() string {
	parts := []string{fmt.Sprintf("%d schedules, %d points", r.Total(), r.Points)}
	for i, of := range r.Of {
		name := [...]string{"singles", "pairs"}[i]
		if i > 0 && r.Schedules[i] < r.Of[i-1] {
			parts = append(parts, name+": not counted, since not all singles were tried")
		} else if tried := r.Schedules[i+1]; tried < of {
			parts = append(parts, fmt.Sprintf("%s: %d %% tried (%d of %d)", name, tried*100/of, tried, of))
		} else {
			parts = append(parts, fmt.Sprintf("%s: all %d", name, of))
		}
	}
	deeper := 0
	for i, n := range r.Schedules {
		if i > len(r.Of) {
			deeper += n
		}
	}
	if deeper > 0 {
		parts = append(parts, fmt.Sprintf("longer ones: %d", deeper))
	}
	switch {
	case r.Replayed:
	case r.States > 0:
		parts = append(parts, fmt.Sprintf("%d states visited, %d schedules merged into others that came to the same state", r.States, r.Merged))
	case r.NoFingerprint:
		parts = append(parts, "no states merged: the world has no Fingerprint() string")
	default:
		parts = append(parts, "no states merged: they are kept apart")
	}
	if r.Cut {
		parts = append(parts, "the time was over")
	}
	return strings.Join(parts, "; ")
}

// Failure tells the shortest schedule that breaks an invariant.
func (r *Result) Failure() string {
	b := r.Broken
	var out strings.Builder
	fmt.Fprintf(&out, "broken: %s: %s\n", b.Violation.Invariant, b.Violation.Text)
	if len(b.Schedule) == 0 {
		out.WriteString("with nothing going wrong\n")
	} else {
		fmt.Fprintf(&out, "when %s\n", b.Schedule)
	}
	fmt.Fprintf(&out, "\n%s\n%s\n", b.Story, r.counts())
	if b.Violation.Invariant == someCompletes {
		for _, n := range r.Never {
			fmt.Fprintf(&out, "note: %s\n", n)
		}
	}
	if r.Others > 0 {
		fmt.Fprintf(&out, "%d further schedules break something\n", r.Others)
	}
	return out.String()
}
