package explain

import "github.com/atonehq/atone/domain/secret"

// Hide returns the preview without what the run's cloak hides. The one given is not changed.
func (p Preview) Hide(c *secret.Cloak) Preview {
	if len(c.Fields()) == 0 || p.Steps == nil {
		return p
	}
	steps := make([]PreviewStep, len(p.Steps))
	copy(steps, p.Steps)
	for i := range steps {
		st := &steps[i]
		st.Input, st.Output, st.Note = c.Payload(st.Input), c.Payload(st.Output), c.Text(st.Note)
	}
	p.Steps = steps
	return p
}
