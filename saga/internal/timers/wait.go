package timers

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// Naps bound how long the timers sleep, by the machine's clock. So if the wall clock is set, runs
// that wait for an instant are late by at most one nap. Nothing else depends on them.
const (
	nap     = 10 * time.Second
	wallNap = time.Second // while a run waits for an instant
)

// wakeWidth is how many runs are woken at once.
const wakeWidth = 256

// Run wakes runs when they are due, until ctx ends.
func (l *List) Run(ctx context.Context) {
	look := time.NewTimer(nap)
	defer look.Stop()
	ring := make(chan struct{}, 1)
	alarm := l.clock.At(l.clock.Steady(), func() {
		select {
		case ring <- struct{}{}:
		default:
		}
	})
	defer alarm.Stop()
	width := make(chan struct{}, wakeWidth)
	var all sync.WaitGroup
	defer all.Wait()
	for {
		due, next, atMost := l.take()
		for _, run := range due {
			select {
			case width <- struct{}{}:
			case <-ctx.Done():
				return
			}
			all.Go(func() {
				l.wake(run)
				<-width
			})
		}
		if next.IsZero() {
			alarm.Stop()
		} else {
			alarm.Reset(l.clock.ticks(next))
		}
		look.Reset(atMost)
		select {
		case <-ring:
		case <-look.C:
		case <-l.changed:
		case <-ctx.Done():
			return
		}
	}
}

// take removes the due runs from the heap. It returns them, when the next one is due by the steady
// clock (zero for none), and how long the next look may be put off.
func (l *List) take() (due []domain.RunID, next time.Time, atMost time.Duration) {
	now := l.clock.Read()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heed(now.Stepped)
	atMost = nap
	if l.named > 0 {
		atMost = wallNap
	}
	for len(l.heap) > 0 {
		e := l.heap[0]
		if e.due.After(now.Steady) {
			return due, e.due, atMost
		}
		heap.Pop(&l.heap)
		due = append(due, e.run)
	}
	return due, time.Time{}, atMost
}

// heed brings forward the runs that wait for an instant, after the wall clock was set forward.
// After a step back such runs are looked at once too early, which does no harm. Callers hold mu.
func (l *List) heed(stepped time.Duration) {
	if stepped > l.stepped && l.named > 0 {
		for _, e := range l.entries {
			if at := e.instant.Add(-stepped); !e.instant.IsZero() && (e.index < 0 || at.Before(e.due)) {
				l.schedule(e, at)
			}
		}
	}
	l.stepped = stepped
}

// schedule puts a run on the heap, or moves it there. Callers hold mu.
func (l *List) schedule(e *entry, due time.Time) {
	e.due = due
	if e.index < 0 {
		heap.Push(&l.heap, e)
	} else {
		heap.Fix(&l.heap, e.index)
	}
	if e.index == 0 {
		select {
		case l.changed <- struct{}{}:
		default:
		}
	}
}

// unschedule takes a run off the heap. Callers hold mu.
func (l *List) unschedule(e *entry) {
	if e.index >= 0 {
		heap.Remove(&l.heap, e.index)
	}
}
