package saga

import "github.com/atonehq/atone/domain/secret"

// Without returns the view without what the fields of payloads, and their values elsewhere, tell. The view given is not
// changed.
func (v RunView) Without(fields []string) RunView {
	if len(fields) == 0 {
		return v
	}
	c := secret.NewCloak(fields)
	c.Learn(v.Input, v.Output)
	for i := range v.Steps {
		c.Learn(v.Steps[i].Input, v.Steps[i].Output)
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
