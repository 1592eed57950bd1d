package saga

import (
	"github.com/atonehq/atone/domain/secret"
)

// Cloak returns what hides the secrets of the run: the fields of its payloads, and the values that they have in the view.
func (v *RunView) Cloak(fields []string) *secret.Cloak {
	c := secret.NewCloak(fields)
	c.Learn(v.Input, v.Output)
	for i := range v.Steps {
		c.Learn(v.Steps[i].Input, v.Steps[i].Output)
	}
	return c
}

// Hide returns the view without what the cloak hides. The view given is not changed.
func (v RunView) Hide(c *secret.Cloak) RunView {
	if len(c.Fields()) == 0 {
		return v
	}
	v.Input, v.Output, v.Cause = c.Payload(v.Input), c.Payload(v.Output), c.Failure(v.Cause)
	v.Paused, v.Blocked = c.Text(v.Paused), c.Text(v.Blocked)
	steps := make([]StepView, len(v.Steps))
	copy(steps, v.Steps)
	for i := range steps {
		st := &steps[i]
		st.Input, st.Output, st.Cause = c.Payload(st.Input), c.Payload(st.Output), c.Failure(st.Cause)
	}
	v.Steps = steps
	return v
}
