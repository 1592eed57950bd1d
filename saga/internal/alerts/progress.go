package alerts

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

const (
	// saveEvery is the number of events without an alert after which the position is saved.
	saveEvery = 10_000
	// fewSlow is how many runs that may yet be slow are written with every mark.
	fewSlow = 50
	// leavePatience bounds what a stop spends on saving.
	leavePatience = 2 * time.Second
)

// save saves that all alerts up to here were sent. If the append fails, the next tick tries again;
// no alert is sent again for that. It returns an error only if another node sends alerts now.
func (r *runner) save(ctx context.Context) error {
	r.told = max(r.told, r.position)
	whole := len(r.slow) <= fewSlow || r.sinceWhole >= max(saveEvery, len(r.slow))
	m := mark{Position: r.told, SlowTo: r.slowTo, Whole: whole, Blocked: r.blockedMarked()}
	if whole {
		m.Slow = r.expected()
	}
	err := r.marks.save(ctx, m)
	r.unsaved = err != nil
	if errors.Is(err, errElsewhere) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		r.a.Logger.Warn("how far alerts were told is not saved, trying again: after a crash they would be told twice", "position", r.told, "error", err)
	}
	if err == nil {
		if r.events = 0; whole {
			r.sinceWhole = 0
		}
	}
	return nil
}

// leave saves how far this node has come when it stops, so that another one continues at once.
func (r *runner) leave(ctx context.Context) {
	if r.a.LogFailed() || !r.a.Shared && r.events == 0 && !r.unsaved {
		return
	}
	ctx, stop := context.WithTimeout(ctx, leavePatience)
	defer stop()
	r.told = max(r.told, r.position)
	m := mark{Position: r.told, SlowTo: r.slowTo, Whole: true, Slow: r.expected(), Blocked: r.blockedMarked(), Left: true}
	if err := r.marks.save(ctx, m); err != nil && !errors.Is(err, errElsewhere) {
		r.a.Logger.Warn("how far alerts were told is not saved: some may be told twice", "position", r.told, "error", err)
	}
}

// expected returns the runs that may yet be slow, the earliest time first.
func (r *runner) expected() []slowRun {
	list := make([]slowRun, 0, len(r.slow))
	for _, s := range r.slow {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b slowRun) int { return a.At.Compare(b.At) })
	return list
}

// blockedMarked are the blocked versions for a mark.
func (r *runner) blockedMarked() []blockedRuns {
	list := make([]blockedRuns, 0, len(r.blocked))
	for _, b := range r.blocked {
		list = append(list, *b)
	}
	slices.SortFunc(list, func(a, b blockedRuns) int { return a.At.Compare(b.At) })
	return list
}

// warn logs, once, an event that can't be read.
func (r *runner) warn(e *domain.Recorded, err error) {
	if !r.warned {
		r.a.Logger.Warn("alerts pass over what can't be read", "sink", r.sink.name, "stream", e.Stream, "revision", e.Revision, "error", err)
	}
	r.warned = true
}
