package inbox

import "github.com/atonehq/atone/domain"

// Idle reports whether everything up to the position was read, and what it asked for was done. It
// is for tests, which wait for that.
func (in *Inbox) Idle(upTo domain.Position) bool {
	if !in.follows {
		return true
	}
	in.mu.Lock()
	behind := in.seen < upTo || !in.live
	in.mu.Unlock()
	if behind {
		return false
	}
	for _, l := range in.lanes {
		if l.working() {
			return false
		}
	}
	return in.deliverer.idle()
}

// working reports whether the lane has events to consider or runs to start.
func (l *lane) working() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.hot || l.busy || len(l.queue)+len(l.pending)+len(l.resumed) > 0
}
