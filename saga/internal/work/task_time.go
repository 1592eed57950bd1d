package work

import (
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// Expired reports whether the attempt was given up by now. It is for the process that sent the
// task.
func (t *Task) Expired() bool { return !t.End.IsZero() && time.Until(t.End) <= 0 }

// transit tells how long tasks were under way from coordinators in other processes, whose clocks
// may be far from this one's: from each, the task that seems to have been the quickest is taken to
// have come at once. A worker that begins with a backlog therefore gives its first tasks their
// whole time. It is safe to use concurrently.
type transit struct {
	mu sync.Mutex
	// quickest is the least difference between here and there, by coordinator, on the monotonic
	// clock here.
	quickest map[string]time.Duration
	began    time.Time
}

// maxSenders bounds how many coordinators' lives are remembered.
const maxSenders = 1000

// of returns how long a task was under way that has just come.
func (q *transit) of(node string, sent time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.quickest == nil || len(q.quickest) >= maxSenders {
		q.quickest, q.began = make(map[string]time.Duration), time.Now()
	}
	took := q.began.Round(0).Add(time.Since(q.began)).Sub(sent)
	quickest, known := q.quickest[node]
	if !known || took < quickest {
		q.quickest[node] = took
		return 0
	}
	return took - quickest
}

// deadline returns when an attempt is given up, by this process's monotonic clock; zero means
// never.
func (w *Worker) deadline(t *Task) time.Time {
	switch {
	case t.Due.IsZero():
		return time.Time{}
	case !t.End.IsZero():
		return t.End
	case t.Sent.IsZero(): // from a coordinator of an earlier version
		return t.Due
	}
	return time.Now().Add(time.Duration(t.Left) - w.transit.of(t.Node, t.Sent))
}

// uncalled is the report of an attempt whose time was over when it came: its handler is not called
// any more.
func (t *Task) uncalled() *Report {
	r := t.report()
	r.Effect = domain.EffectNotDone
	r.Failure = &domain.Failure{Kind: domain.FailureTimedOut, Step: t.Step, Message: "its time was over before its handler could be called"}
	if t.Direction == domain.Probe {
		r.Verdict = domain.Unknown
	}
	return r
}
