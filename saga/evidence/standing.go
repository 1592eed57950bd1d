package evidence

import (
	"fmt"
	"strconv"
)

// Standing is what is known of a version of a saga.
type Standing struct {
	// Latest is the latest result; nil means that the saga was never explored.
	Latest *Explored `json:"latest,omitempty" doc:"The latest result; absent if the saga was never explored."`
	// OtherPlan means that it is of another plan than the one that is registered.
	OtherPlan bool `json:"other_plan,omitempty" doc:"Whether it is of another plan than the one that is registered."`
	// Running is what runs now, where it is another build.
	Running *Build `json:"running,omitempty" doc:"The build that runs now, if it is another one."`
	// Text says all of it.
	Text string `json:"text" doc:"All of it in a sentence."`
}

// StandingOf says what is known of a version of a saga whose plan has the hash: latest, which may
// be nil, and the build that runs now.
func StandingOf(latest *Explored, plan string, running Build) Standing {
	if latest == nil {
		return Standing{Text: "never explored"}
	}
	s := Standing{Latest: latest, OtherPlan: latest.Plan != plan}
	what := "explored"
	if s.OtherPlan {
		what = "explored with another plan"
	}
	broken := 0
	if latest.Broken != nil {
		broken = 1 + latest.Others
	}
	s.Text = fmt.Sprintf("%s: %s schedules, %s broken, with build %s", what, thousands(latest.Total()), thousands(broken), latest.Build)
	if !latest.Build.same(running) {
		s.Running = &running
		s.Text += "; running " + running.String()
	}
	return s
}

// Broken reports whether the latest result is that something is broken.
func (s Standing) Broken() bool { return s.Latest != nil && s.Latest.Broken != nil }

// Stale reports whether the latest result is not about what runs now.
func (s Standing) Stale() bool { return s.Latest == nil || s.OtherPlan || s.Running != nil }

// thousands writes a number as people do.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
