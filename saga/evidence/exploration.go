package evidence

import (
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// Exploration is what the exploration of a saga found.
type Exploration struct {
	Version int    `json:"version" minimum:"1" maximum:"1000000" doc:"The version of the saga."`
	Plan    string `json:"plan" maxLength:"100" doc:"The hash of the plan that was explored. It covers the policies too."`
	Build   Build  `json:"build" doc:"What the program was built of that explored it."`
	// Schedules counts the schedules that were played, by how many things go wrong in them; Of is
	// how many there are in which one thing does, and in which two do.
	Schedules  []int    `json:"schedules" minItems:"1" maxItems:"64" doc:"How many schedules were played, by how many things go wrong in them."`
	Of         []int    `json:"of,omitempty" maxItems:"2" doc:"How many schedules there are in which one thing goes wrong, and in which two do."`
	Invariants []string `json:"invariants,omitempty" maxItems:"100" doc:"The author's invariants, by name."`
	Answers    []string `json:"answers,omitempty" maxItems:"100" doc:"The answers that the world gave."`
	// Broken is the shortest schedule that breaks something; nil for none. Others counts further
	// ones.
	Broken *Violation `json:"broken,omitempty" doc:"The shortest schedule that breaks something; absent if nothing is broken."`
	Others int        `json:"others,omitempty" minimum:"0" doc:"How many further schedules break something."`
}

// Violation is a schedule that breaks something.
type Violation struct {
	Invariant string `json:"invariant" maxLength:"1000" doc:"What it breaks."`
	Text      string `json:"text,omitempty" maxLength:"2000" doc:"How."`
	Schedule  string `json:"schedule,omitempty" maxLength:"2000" doc:"What goes wrong in it."`
}

// Explored is a recorded exploration.
type Explored struct {
	Saga string `json:"saga" doc:"The saga's name."`
	Exploration
	By string    `json:"by" doc:"Who recorded it."`
	At time.Time `json:"at" doc:"When it was recorded."`
}

// maxEvent bounds a recorded result in bytes.
const maxEvent = 64 << 10

// Total is how many schedules were played.
func (e *Exploration) Total() (n int) {
	for _, k := range e.Schedules {
		n += k
	}
	return n
}

// Validate reports everything that keeps a result from being recorded, as [domain.ErrBadInput]: a
// build that cannot be had again, a search that did not try everything, texts that nobody sees.
func (e *Exploration) Validate() error {
	var errs []error
	errs = append(errs, e.Build.check(), accept.Name("the plan's hash", e.Plan, 100), accept.OptionalName("the version of the build", e.Build.Version, accept.MaxName),
		accept.OptionalName("the revision of the build", e.Build.Revision, accept.MaxName))
	for _, n := range append(append([]int{e.Others}, e.Schedules...), e.Of...) {
		if n < 0 {
			errs = append(errs, errors.New("a count is negative"))
			break
		}
	}
	if e.Broken == nil && !e.complete() {
		errs = append(errs, errors.New("not everything was tried: only a search of each single fault and each pair is recorded"))
	}
	for _, name := range append(append([]string{}, e.Invariants...), e.Answers...) {
		errs = append(errs, accept.Name("the name of an invariant or answer", name, accept.MaxName))
	}
	if b := e.Broken; b != nil {
		errs = append(errs, accept.Name("the invariant that is broken", b.Invariant, 1000), accept.Text("the text of what is broken", b.Text), accept.Text("the schedule", b.Schedule))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", domain.ErrBadInput, err)
	}
	return nil
}

// complete reports whether each single fault and each pair was tried.
func (e *Exploration) complete() bool {
	return len(e.Of) == 2 && len(e.Schedules) > 2 && e.Schedules[0] > 0 && e.Schedules[1] >= e.Of[0] && e.Schedules[2] >= e.Of[1]
}
