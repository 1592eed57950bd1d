package queue

// Depth is how much work one group has on one topic.
type Depth struct {
	Ready    int // waiting to be handed out
	Delayed  int // nacked, waiting for their redelivery
	InFlight int // handed out, or about to be, and not settled
}

// Depth returns the present depth of a group's queue on a topic; zero when either is
// not known. What was published to a topic that has no group yet is the depth of "".
func (q *Queue) Depth(topic, group string) Depth {
	q.mu.RLock()
	t := q.topics[topic]
	q.mu.RUnlock()
	if t == nil {
		return Depth{}
	}
	return t.depths()[group]
}

func (t *topic) depths() map[string]Depth {
	t.mu.Lock()
	defer t.mu.Unlock()
	depths := make(map[string]Depth, len(t.lines))
	for _, l := range t.lines {
		depths[l.group] = Depth{Ready: l.ready.len(), Delayed: len(l.delayed), InFlight: l.inFlight}
	}
	return depths
}
