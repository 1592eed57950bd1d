package judge

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// Effect is what is known of a step's effect on the world.
type Effect string

// The effects.
const (
	NoEffect Effect = "none"
	InDoubt  Effect = "in doubt"
	InPlace  Effect = "in place"
)

// Step is what the events say of one path.
type Step struct {
	Path string
	// Started counts the attempts of each direction, Flying is the number of the attempt without an
	// outcome, 0 for none.
	Started, Flying map[domain.Direction]int
	// Effect is that of the do: after an undo there is none.
	Effect Effect
	// Forward is how the step was settled going forward: done, skipped, ignored, or "".
	Forward string
	// Output is that of a step that is done.
	Output json.RawMessage
	// Incident is the open incident, StuckIn its direction.
	Incident string
	StuckIn  domain.Direction
	// Left means that the effect was knowingly left behind.
	Left bool
	// Waits is what the step waits for: "sleep", "signal NAME", "event TYPE", "child", "undo of
	// child", or "".
	Waits string

	place   *place
	retryAt map[domain.Direction]time.Time // of the next attempt
	due     time.Time                      // of a sleep
	instant bool
	branch  *int
	items   int
	listed  bool
	child   domain.RunID
	childIs domain.RunState
	undone  bool // an undo took the effect away, or none was there when the step was turned back
	revived bool // an effect came after that
	missed  int  // the undo attempt up to which an effect came that they may have missed
	failed  bool // for good
	given   bool // a person gave it new attempts
	byHand  bool // a person did what the steps below it were to do
	told    map[string]bool
}

// step returns the step with the path. One that the plan does not have breaks a rule.
func (r *Run) step(path string) *Step {
	st := r.steps[path]
	if st == nil {
		st = &Step{Path: path, Effect: NoEffect, Started: make(map[domain.Direction]int), Flying: make(map[domain.Direction]int), retryAt: make(map[domain.Direction]time.Time),
			told: make(map[string]bool), place: r.find(path)}
		r.steps[path] = st
		r.order = append(r.order, st)
		r.rule(st.place != nil, "the plan has no step %q", path)
		if st.place == nil {
			st.place = &place{node: &domain.Node{}}
		}
	}
	return st
}

func (r *Run) done(st *Step, output json.RawMessage) {
	st.Forward, st.Output, st.Waits, st.failed = "done", output, "", false
	if st.StuckIn != domain.Undo {
		st.Incident = ""
	}
}

// rule notes a rule that is broken.
func (r *Run) rule(holds bool, format string, args ...any) {
	if !holds {
		r.broken = append(r.broken, fmt.Sprintf(format, args...))
	}
}
