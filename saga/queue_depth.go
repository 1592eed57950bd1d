package saga

// QueueDepth is how much work there is for one action in this process.
type QueueDepth struct {
	// Waiting counts the runs that wait for a free place.
	Waiting int
	// InFlight counts the attempts without an outcome, and the places that are kept for runs whose turn it is.
	InFlight int
	// Limit is how many may be in flight at once.
	Limit int
	// Hung counts the places of attempts that were given up and whose handlers have not returned, see Action.Concurrency.
	Hung int
}

// QueueDepths returns the depth of each action's queue; it is empty before the coordinator has started.
func (c *Coordinator) QueueDepths() map[string]QueueDepth {
	select {
	case <-c.ready:
	default:
		return nil
	}
	out := make(map[string]QueueDepth, len(c.slots))
	for name, p := range c.slots {
		out[name] = QueueDepth(p.Depth())
	}
	return out
}
