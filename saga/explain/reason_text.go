package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// Tell says in a sentence what the run waits for, or how it ended. It reads nothing but the value;
// the clock writes the instants.
func (r *Reason) Tell(now time.Time, clock Clock) string {
	if !r.Ended.IsZero() {
		text := r.ended(clock)
		if len(r.Waits) > 0 {
			text += "; an effect came after that: " + r.Waits[0].Tell(now, clock)
		}
		return text
	}
	var text string
	switch {
	case r.Standing == Paused:
		text = "paused: " + r.Paused + "; resume it to go on"
	case r.Standing == Blocked:
		text = "blocked since " + clock(r.BlockedAt) + ": " + r.Blocked
	case len(r.Waits) == 0:
		return r.Headline
	default:
		text = r.Waits[0].Tell(now, clock) + r.HeldUp.text(now, clock)
		if n := len(r.Waits) + r.More - 1; n > 0 {
			text += fmt.Sprintf(" (and %d more)", n)
		}
	}
	if len(r.Chain) == 0 {
		return text
	}
	last := &r.Chain[len(r.Chain)-1]
	below := last.Tell(now, clock)
	switch {
	case r.Standing == StuckBelow:
		return fmt.Sprintf("stuck below: run %s of %s is %s; above it, %s", last.Run, last.Saga, below, text)
	case last.Standing == Stuck:
		return fmt.Sprintf("%s; below it, run %s of %s is %s", text, last.Run, last.Saga, below)
	}
	return text + "; there, " + below
}

// Tell says in a sentence what the run of the chain waits for.
func (l *Link) Tell(now time.Time, clock Clock) string {
	if l.Wait != nil && l.Wait.WaitsFor == l.WaitsFor {
		return l.Wait.Tell(now, clock)
	}
	return l.Text
}

func (r *Reason) ended(clock Clock) string {
	text := string(r.State) + " at " + clock(r.Ended)
	if len(r.Left) > 0 {
		text += " with effects left: " + strings.Join(r.Left, ", ")
	}
	if r.Cause != nil && r.State != domain.RunIsCompleted && r.State != domain.RunIsAbandoned {
		text += ", because " + r.Cause.String()
	}
	return text
}

// text says what waits until it is known whether an irreversible step took effect.
func (h *HeldUp) text(now time.Time, clock Clock) string {
	if h == nil {
		return ""
	}
	var what []string
	if h.Cancel {
		what = append(what, "a cancel")
	}
	if !h.Deadline.IsZero() {
		what = append(what, "the run's deadline, which passed"+strings.TrimSuffix(at(h.Deadline, now, clock), " (due)")+",")
	}
	return fmt.Sprintf("; %s waits until it is known whether %s took effect, because it can't be undone", strings.Join(what, " and "), h.Step)
}
