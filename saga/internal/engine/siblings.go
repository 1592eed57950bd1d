package engine

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// siblings are the attempts that one append started together. Quick handlers end at nearly the same
// time: if the first outcome were appended alone, all others would wait until that append is
// durable. So an early outcome waits for the others, but no longer than they would have to wait for
// it. The actor's mu guards it.
type siblings struct {
	// expected is how many outcomes are waited for; 0 for none.
	expected int
	// until is when the waiting ends.
	until time.Time
	// complete, if somebody waits, has room for one value, which says that the wait is over.
	complete chan struct{}
}

// siblingsAtMost bounds how long an outcome waits for others.
const siblingsAtMost = 20 * time.Millisecond

// expectSiblings is called once the attempts that an append started are dispatched; took is how
// long the append took. Their outcomes wait for each other no longer than that: so much would an
// append for the first alone cost the others.
func (a *actor) expectSiblings(events []decided, took time.Duration) {
	n := 0
	for _, d := range events {
		if _, started := d.event.(*domain.AttemptStarted); started {
			n++
		}
	}
	if n < 2 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.siblings = siblings{expected: n, until: time.Now().Add(min(took, siblingsAtMost))}
}

// awaitSiblings waits for the outcomes of attempts that were started together, if nothing else is
// to be done. The caller works on the run and holds mu, which is unlocked meanwhile.
func (a *actor) awaitSiblings() {
	s := &a.siblings
	if s.expected == 0 || len(a.requests) == 0 {
		return
	}
	if left := time.Until(s.until); left > 0 && !a.complete() {
		complete := make(chan struct{}, 1)
		s.complete = complete
		a.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-complete:
		case <-timer.C:
		case <-a.engine.cfg.Life.Done():
		}
		timer.Stop()
		a.mu.Lock()
	}
	*s = siblings{}
}

// arrived notes that a request came in. The caller holds mu.
func (a *actor) arrived() {
	if s := &a.siblings; s.complete != nil && a.complete() {
		s.complete <- struct{}{}
		s.complete = nil
	}
}

// complete reports whether the wait for more outcomes is over: all are there, or somebody asks for
// something else. The caller holds mu.
func (a *actor) complete() bool {
	if len(a.requests) >= a.siblings.expected {
		return true
	}
	for _, r := range a.requests {
		if _, outcome := r.intent.(machine.Outcome); !outcome {
			return true
		}
	}
	return false
}
