package alerts

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// slowRun is a run that may yet be slow.
type slowRun struct {
	Run     domain.RunID `json:"run"`
	Saga    string       `json:"saga"`
	Version int          `json:"version"`
	// At is when the run becomes slow.
	At time.Time `json:"at"`
	// due is At on the steady clock, because slow is a duration.
	due time.Time
}

// started notes a run whose saga says what is slow.
func (r *runner) started(ctx context.Context, run domain.RunID, e *domain.Recorded) error {
	f, err := domain.DecodeFact(e)
	if err != nil {
		r.warn(e, err)
		return nil
	}
	started, ok := f.Event.(*domain.RunStarted)
	if !ok {
		return nil
	}
	plan, err := r.a.Plan(ctx, run, started.Plan)
	if errors.Is(err, domain.ErrUnreadable) {
		r.warn(e, err)
		return nil
	}
	if err == nil && plan.Slow > 0 {
		at := f.Meta.At.Add(time.Duration(plan.Slow))
		r.expect(slowRun{Run: run, Saga: started.Saga, Version: started.Version, At: at}, e.Position)
	}
	return err
}

// expect notes a run that may become slow, unless that was reported already.
func (r *runner) expect(s slowRun, position domain.Position) {
	if position > r.told || s.At.After(r.slowTo) {
		s.due = r.steady(s.At)
		r.slow[s.Run] = s
	}
}

// steady is an instant on the steady clock.
func (r *runner) steady(at time.Time) time.Time {
	now := r.a.Clock.Read()
	return now.Steady.Add(at.Sub(now.Wall()))
}

// tellSlow reports the unfinished runs whose time has come, in the order of their times.
func (r *runner) tellSlow(ctx context.Context) error {
	if !r.caughtUp {
		return nil // some of them may have ended
	}
	for _, s := range r.dueBy(r.a.Clock.Steady()) {
		if !r.a.Unfinished(s.Run) {
			delete(r.slow, s.Run) // it ended just now
			continue
		}
		if err := r.a.MayTell(); err != nil {
			return err
		}
		alert := domain.Alert{ID: s.Run.String() + "/slow", Kind: domain.AlertSlow, Run: s.Run, Saga: s.Saga, Version: s.Version, At: s.At}
		if err := r.sink.tell(ctx, alert); err != nil {
			return err
		}
		delete(r.slow, s.Run)
		if s.At.After(r.slowTo) {
			r.slowTo = s.At
		}
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// dueBy returns the runs that are slow by now, the earliest time first.
func (r *runner) dueBy(now time.Time) []slowRun {
	return slices.DeleteFunc(r.expected(), func(s slowRun) bool { return now.Before(s.due) })
}
