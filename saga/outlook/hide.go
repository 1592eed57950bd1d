package outlook

import (
	"slices"

	"github.com/atonehq/atone/domain/secret"
)

// Hide returns the outlook without what the run's cloak hides. The one given is not changed.
func (o Outlook) Hide(c *secret.Cloak) Outlook {
	if len(c.Fields()) == 0 {
		return o
	}
	o.Acts = slices.Clone(o.Acts)
	for i := range o.Acts {
		a := &o.Acts[i]
		a.Ends = slices.Clone(a.Ends)
		for j := range a.Ends {
			e := &a.Ends[j]
			e.Waits, e.Text, e.If = slices.Clone(e.Waits), c.Text(e.Text), c.Text(e.If)
			for k := range e.Waits {
				e.Waits[k] = c.Text(e.Waits[k])
			}
		}
	}
	return o
}
