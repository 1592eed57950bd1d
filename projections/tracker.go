package projections

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/internal/decode"
)

// trackedRuns is how many runs a tracker remembers. One that it forgot is read again from its stream.
const trackedRuns = 20_000

// tracker completes events with what earlier events of the same run said. Its memory is a
// cache: it is filled from the run's own stream.
type tracker struct {
	source Source
	limit  int
	runs   map[domain.RunID]*list.Element // of *tracked
	recent *list.List                     // most recently used first
	plans  map[string]*PlanFields
}

// tracked is a run as the tracker knows it.
type tracked struct {
	id   domain.RunID
	info *RunInfo
	next uint64 // the revision that follows what was seen
	open map[attemptKey]openAttempt
	// reopened means that the run was stuck after it had ended.
	reopened bool
}

type attemptKey struct {
	step string
	dir  domain.Direction
}

type openAttempt struct {
	number int
	action string
	at     time.Time
}

func newTracker(source Source) *tracker {
	return &tracker{source: source, limit: trackedRuns, runs: make(map[domain.RunID]*list.Element), recent: list.New(), plans: make(map[string]*PlanFields)}
}

// read decodes a recorded event and completes it. The error is one of reading the log.
func (t *tracker) read(ctx context.Context, r *domain.Recorded) (Event, error) {
	e := Event{Recorded: r}
	id, ok := domain.RunOfStream(r.Stream)
	if !ok {
		return e, nil
	}
	e.Run = id
	e.Fact, e.Err = decode.Fact(r)
	run, err := t.at(ctx, id, r.Revision)
	if err != nil {
		return e, err
	}
	return e, t.step(ctx, run, &e)
}

// at returns the run as it is before the revision.
func (t *tracker) at(ctx context.Context, id domain.RunID, revision uint64) (*tracked, error) {
	if el := t.runs[id]; el != nil {
		if run := el.Value.(*tracked); run.next == revision {
			t.recent.MoveToFront(el)
			return run, nil
		}
		t.recent.Remove(el)
		delete(t.runs, id)
	}
	run := &tracked{id: id}
	if revision > 0 {
		for r, err := range t.source.ReadStream(ctx, domain.RunStream(id), 0) {
			if err != nil {
				return nil, fmt.Errorf("read the earlier events of run %s: %w", id, err)
			}
			if r.Revision >= revision {
				break
			}
			e := Event{Recorded: &r, Run: id}
			e.Fact, e.Err = decode.Fact(&r)
			if err := t.step(ctx, run, &e); err != nil {
				return nil, err
			}
		}
		run.next = revision // a stream's truncated beginning is not waited for
	}
	t.runs[id] = t.recent.PushFront(run)
	if t.recent.Len() > t.limit {
		oldest := t.recent.Back()
		t.recent.Remove(oldest)
		delete(t.runs, oldest.Value.(*tracked).id)
	}
	return run, nil
}

// step completes the event from the run, and the run from the event.
func (t *tracker) step(ctx context.Context, run *tracked, e *Event) error {
	run.next = e.Recorded.Revision + 1
	switch d := e.Event.(type) {
	case *domain.RunStarted:
		plan, err := t.plan(ctx, d.Plan)
		if err != nil {
			return err
		}
		run.info = &RunInfo{RunStarted: *d, Run: run.id, No: e.Position, At: e.When(), PlanFields: *plan}
	case *domain.AttemptStarted:
		if run.open == nil {
			run.open = make(map[attemptKey]openAttempt)
		}
		run.open[attemptKey{d.Step, d.Direction}] = openAttempt{d.Attempt, d.Action, e.When()}
		e.Action, e.Number, e.Begun = d.Action, d.Attempt, e.When()
	case *domain.AttemptSucceeded:
		run.about(e, d.Step, d.Direction, d.Attempt)
	case *domain.AttemptFailed:
		run.about(e, d.Step, d.Direction, d.Attempt)
	case *domain.AttemptHeartbeat:
		run.about(e, d.Step, d.Direction, d.Attempt)
	case *domain.OutcomeLate:
		run.about(e, d.Step, d.Direction, d.Attempt)
	case *domain.StepProbed:
		run.about(e, d.Step, domain.Probe, d.Attempt)
	case *domain.RunStuck:
		run.reopened = run.reopened || d.After != ""
		run.about(e, d.Step, d.Direction, latest)
	case *domain.RunCompleted, *domain.RunCompensated, *domain.RunCancelled, *domain.RunAbandoned:
		e.Again = run.reopened
	case *domain.StepRetried:
		run.about(e, d.Step, d.Direction, latest)
	case *domain.StepResolved:
		run.about(e, d.Step, d.Direction, latest)
	}
	e.Of = run.info
	return nil
}

// latest stands for the number of a step's latest attempt.
const latest = -1

// about says which attempt an event is about. Begun is left empty for an attempt that is not the step's latest.
func (run *tracked) about(e *Event, step string, dir domain.Direction, number int) {
	a, ok := run.open[attemptKey{step, dir}]
	if !ok && dir == domain.Probe { // the event numbers the attempt that is in doubt
		a, ok = run.open[attemptKey{step, domain.Do}]
	}
	if !ok {
		return
	}
	e.Action, e.Number = a.action, a.number
	if number == latest || a.number == number || dir == domain.Probe {
		e.Begun = a.at
		return
	}
	e.Number = number
}

// plan returns what views need of the plan. Of one that can't be found every field is secret.
func (t *tracker) plan(ctx context.Context, hash string) (*PlanFields, error) {
	if p := t.plans[hash]; p != nil {
		return p, nil
	}
	fields, err := ReadPlanFields(ctx, t.source, hash)
	if err != nil && !errors.Is(err, ErrNoPlan) {
		return nil, err
	}
	p := &fields
	t.plans[hash] = p
	return p, nil
}
