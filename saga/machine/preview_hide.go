package machine

import "github.com/atonehq/atone/domain/secret"

// Without returns the preview without what the fields of payloads, and their values elsewhere, tell. The one given is not
// changed.
func (p Preview) Without(fields []string) Preview {
	c := secret.NewCloak(fields)
	for i := range p.Steps {
		c.Learn(p.Steps[i].Input, p.Steps[i].Output)
	}
	steps := make([]PreviewStep, len(p.Steps))
	copy(steps, p.Steps)
	for i := range steps {
		st := &steps[i]
		st.Input, st.Output, st.Note = c.Payload(st.Input), c.Payload(st.Output), c.Text(st.Note)
	}
	if p.Steps != nil {
		p.Steps = steps
	}
	return p
}
