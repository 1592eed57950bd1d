package domain

// Clock says by which clock a run's times are, from the event on that carries it in its metadata.
//
// Times in events are by the wall clock of the coordinator that wrote them. When that clock is set,
// or another coordinator takes over, times that are measured as durations (timeouts, retries,
// sleeps, the time within which something must come) move along, so that they are as far away as
// before. Instants that somebody named stay where they are. A log of one coordinator whose clock
// was never set has no Clock.
type Clock struct {
	// Node is the life of a coordinator that wrote the event.
	Node string `json:"node,omitempty"`
	// Stepped is by how much its wall clock had been set since it started, forward if positive.
	Stepped Duration `json:"stepped,omitzero"`
	// Shift is by how much the times of durations that began before the event are moved.
	Shift Duration `json:"shift,omitzero"`
}

func (c *Clock) fields(w *objectWriter) {
	w.optStr("node", c.Node)
	w.duration("stepped", c.Stepped)
	w.duration("shift", c.Shift)
}
