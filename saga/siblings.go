package saga

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// siblings are the attempts that one append started together. Handlers that are quick end at nearly the same
// time: without care the first outcome has an append to itself, and all others wait until that is durable. So
// an outcome that comes soon after they began waits for the others, for no longer than they would wait for it.
// The actor's mu guards it.
type siblings struct {
	// expected is how many outcomes are waited for; 0 where nothing is.
	expected int
	// until is when the waiting ends.
	until time.Time
	// complete, where somebody waits, has room for one and is told that there is no more to wait for.
	complete chan struct{}
}

// siblingsAtMost bounds how long an outcome waits for others.
const siblingsAtMost = 20 * time.Millisecond

// expectSiblings notes how many attempts an append started that took so long, once they are dispatched. Their outcomes
// wait for each other for as long: an append more would take that for all but the first.
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

// awaitSiblings waits, where all that there is to do is to record outcomes, for those of the attempts that were
// started with them. The caller holds mu, which it lets go meanwhile, and works on the run.
func (a *actor) awaitSiblings() {
	s := &a.siblings
	if s.expected == 0 || len(a.inbox) == 0 {
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
		case <-a.c.life.Done():
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

// complete reports whether waiting for more outcomes is over: all are there, or somebody asks for something else.
// The caller holds mu.
func (a *actor) complete() bool {
	if len(a.inbox) >= a.siblings.expected {
		return true
	}
	for _, r := range a.inbox {
		if _, outcome := r.intent.(machine.Outcome); !outcome {
			return true
		}
	}
	return false
}
