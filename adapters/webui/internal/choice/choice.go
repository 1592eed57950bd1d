package choice

import (
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
)

// Choice is a group, or an incident with its run and step.
type Choice struct {
	// Group is the id of a group; with it, the other fields are empty.
	Group string
	Run   domain.RunID
	// Incident may be empty: then the run and the step name it.
	Incident string
	Step     string
}

// ErrNone is returned for a value that no box has.
var ErrNone = errors.New("this is no incident, nor a group of them")

// Read reads the value of a box: the id of a group, or a run and a step, with the incident's id
// between them. Errors: [ErrNone].
func Read(value string) (Choice, error) {
	if cause.IsID(value) {
		return Choice{Group: value}, nil
	}
	run, step, _ := strings.Cut(value, " ")
	id, err := uuid.Parse(run)
	if err != nil {
		return Choice{}, ErrNone
	}
	c := Choice{Run: id, Step: step}
	if incident, rest, _ := strings.Cut(step, " "); uuid.Validate(incident) == nil {
		c.Incident, c.Step = incident, rest
	}
	return c, nil
}

// Value writes the value of a box.
func (c Choice) Value() string {
	if c.Group != "" {
		return c.Group
	}
	return c.Run.String() + " " + c.Incident + " " + c.Step
}

// Target names the incidents for a [desk.Act].
func (c Choice) Target() string {
	switch {
	case c.Group != "":
		return c.Group
	case c.Incident != "":
		return c.Incident
	}
	return c.Run.String()
}
