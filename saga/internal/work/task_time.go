package work

import (
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/timers"
)

// Expired reports whether the attempt was given up by now, by the clock of the process that sent
// the task.
func (t *Task) Expired(c *timers.Clock) bool { return !t.End.IsZero() && c.Until(t.End) <= 0 }

// transit estimates how long tasks were under way from coordinators whose clocks may differ from
// this one's. It assumes that the quickest task of each coordinator took no time. So a worker that
// begins with a backlog gives its first tasks their whole time. It is safe to use concurrently.
type transit struct {
	mu sync.Mutex
	// quickest is the smallest difference between the clocks, by coordinator, on this process's
	// steady clock.
	quickest map[string]time.Duration
}

// maxSenders bounds how many coordinators are remembered.
const maxSenders = 1000

// of returns how long a task was under way that comes now, by this process's steady clock.
func (q *transit) of(node string, sent, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.quickest == nil || len(q.quickest) >= maxSenders {
		q.quickest = make(map[string]time.Duration)
	}
	took := now.Sub(sent)
	quickest, known := q.quickest[node]
	if !known || took < quickest {
		q.quickest[node] = took
		return 0
	}
	return took - quickest
}

// deadline returns when an attempt is given up, by this process's steady clock; zero means never.
func (w *Worker) deadline(t *Task) time.Time {
	switch {
	case t.Due.IsZero():
		return time.Time{}
	case !t.End.IsZero():
		return t.End
	}
	now := w.cfg.Clock.Read()
	if t.Sent.IsZero() { // from a coordinator of an earlier version
		return t.Due.Add(-now.Stepped)
	}
	return now.Steady.Add(time.Duration(t.Left) - w.transit.of(t.Node, t.Sent, now.Steady))
}

// uncalled reports an attempt whose time was over when it arrived, so that its handler is not
// called.
func (t *Task) uncalled() *Report {
	r := t.report()
	r.Effect = domain.EffectNotDone
	r.Failure = &domain.Failure{Kind: domain.FailureTimedOut, Step: t.Step, Message: "its time was over before its handler could be called"}
	if t.Direction == domain.Probe {
		r.Verdict = domain.Unknown
	}
	return r
}
