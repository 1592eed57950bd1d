package explain

import (
	"slices"

	"github.com/atonehq/atone/domain/secret"
)

// Hide returns the reason without what the run's cloak hides. The one given is not changed. The
// runs of the chain have secrets of their own, and are not touched.
func (r Reason) Hide(c *secret.Cloak) Reason {
	if len(c.Fields()) == 0 {
		return r
	}
	r.Text, r.Paused, r.Blocked, r.Cause = c.Text(r.Text), c.Text(r.Paused), c.Text(r.Blocked), c.Failure(r.Cause)
	r.Waits = slices.Clone(r.Waits)
	for i := range r.Waits {
		w := &r.Waits[i]
		w.Text, w.Cause = c.Text(w.Text), c.Failure(w.Cause)
		w.NotSent, w.Details = c.Text(w.NotSent), c.Payload(w.Details)
	}
	r.Signals = slices.Clone(r.Signals)
	for i := range r.Signals {
		r.Signals[i].Payload = c.Payload(r.Signals[i].Payload)
	}
	return r
}
