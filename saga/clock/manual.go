package clock

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Manual is a clock for tests. It stands still until it is moved. Its wall clock and its steady
// clock show the same time. Make one with [NewManual].
type Manual struct {
	began time.Time

	mu     sync.Mutex
	steady time.Duration
	alarms alarms
	set    int // how many alarms were set so far
}

// NewManual returns a clock that stands at a time.
func NewManual(at time.Time) *Manual { return &Manual{began: at.Round(0)} }

// Now implements [Clock].
func (m *Manual) Now() time.Time { return m.began.Add(m.Steady()) }

// Steady implements [Clock]. It returns how far the clock was moved.
func (m *Manual) Steady() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.steady
}

// At implements [Clock]. f is called by whoever moves the clock; if it is due already, on a
// goroutine of its own.
func (m *Manual) At(at time.Duration, f func()) Alarm {
	a := &manualAlarm{clock: m, f: f, index: -1}
	a.Reset(at)
	return a
}

// Next returns when the earliest alarm is due, and whether there is one.
func (m *Manual) Next() (at time.Time, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.alarms) == 0 {
		return time.Time{}, false
	}
	return m.began.Add(m.alarms[0].at), true
}

// Advance moves the clock forward. On the way it stops at each alarm that is due, earliest first,
// and makes its call. It panics if d is negative.
func (m *Manual) Advance(d time.Duration) {
	if d < 0 {
		panic("clock: Advance by " + d.String() + ": a clock for tests only goes forward")
	}
	m.mu.Lock()
	target := m.steady + d
	for len(m.alarms) > 0 && m.alarms[0].at <= target {
		a := heap.Pop(&m.alarms).(*manualAlarm) //nolint:forcetypeassert // it holds nothing else
		m.steady = max(m.steady, a.at)
		m.mu.Unlock()
		a.f()
		m.mu.Lock()
	}
	m.steady = max(m.steady, target)
	m.mu.Unlock()
}

// WithDeadline implements [Clock].
func (m *Manual) WithDeadline(parent context.Context, at time.Duration) (context.Context, context.CancelFunc) {
	return withDeadline(parent, m, m.began.Add(at), at)
}

// manualAlarm is an alarm of a [Manual].
type manualAlarm struct {
	clock *Manual
	f     func()
	// The clock's mutex guards the rest.
	at    time.Duration
	order int // among alarms of the same time, the earlier set comes first
	index int // among the clock's alarms, -1 if not set
}

// Reset implements [Alarm].
func (a *manualAlarm) Reset(at time.Duration) {
	m := a.clock
	m.mu.Lock()
	if a.index >= 0 {
		heap.Remove(&m.alarms, a.index)
	}
	due := at <= m.steady
	if !due {
		m.set++
		a.at, a.order = at, m.set
		heap.Push(&m.alarms, a)
	}
	m.mu.Unlock()
	if due {
		go a.f()
	}
}

// Stop implements [Alarm].
func (a *manualAlarm) Stop() bool {
	m := a.clock
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.index < 0 {
		return false
	}
	heap.Remove(&m.alarms, a.index)
	return true
}

// alarms implements heap.Interface, the earliest first.
type alarms []*manualAlarm

func (h alarms) Len() int { return len(h) }
func (h alarms) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}
func (h alarms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *alarms) Push(x any) {
	a := x.(*manualAlarm) //nolint:forcetypeassert // it holds nothing else
	a.index = len(*h)
	*h = append(*h, a)
}

// Pop implements heap.Interface.
func (h *alarms) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.index = -1
	return a
}
