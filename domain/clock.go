package domain

// Clock says which clock a run's times come from, beginning with the event whose metadata carries
// it.
//
// Times in events are those of the wall clock of the coordinator that wrote them. When that clock
// is set, or another coordinator takes over, times that stem from durations (timeouts, retries,
// sleeps, Within) shift with it, so that they stay as far away as before. Instants that somebody
// named do not shift. A log of one coordinator whose clock was never set has no Clock.
type Clock struct {
	// Node identifies the coordinator that wrote the event, and its incarnation.
	Node string `json:"node,omitempty"`
	// Stepped is how far its wall clock had been set since it started, forward if positive.
	Stepped Duration `json:"stepped,omitzero"`
	// Shift is how far times of durations that began before the event move.
	Shift Duration `json:"shift,omitzero"`
}

func (c *Clock) fields(w *objectWriter) {
	w.optStr("node", c.Node)
	w.duration("stepped", c.Stepped)
	w.duration("shift", c.Shift)
}
