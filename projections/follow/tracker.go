package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/internal/decode"
)

// trackedRuns is how many runs a tracker remembers. It reads a forgotten run again from its stream.
const trackedRuns = 20_000

// planHash is the length of a plan's hash, in bytes of text. What is no hash is a plan of nothing.
const planHash = 64

// tracker completes events with what earlier events of the same run said. Its memory is a cache of
// the runs' streams.
type tracker struct {
	source projections.Source
	runs   *simplelru.LRU[domain.RunID, *tracked]
	plans  map[string]*projections.PlanFields
}

// tracked is a run as the tracker knows it.
type tracked struct {
	id   domain.RunID
	info *projections.RunInfo
	next uint64 // the revision after the last event seen
	open map[attemptKey]openAttempt
	wake domain.Wake // the last one that an event told
	// reopened means that the run was stuck after it had ended.
	reopened bool
}

type attemptKey struct {
	step      string
	direction domain.Direction
}

// openAttempt is the latest attempt of a step in one direction.
type openAttempt struct {
	number int
	action string
	at     time.Time
}

func newTracker(source projections.Source) *tracker {
	runs, err := simplelru.NewLRU[domain.RunID, *tracked](trackedRuns, nil)
	if err != nil {
		panic("a cache of a fixed size can be made: " + err.Error())
	}
	return &tracker{source: source, runs: runs, plans: make(map[string]*projections.PlanFields)}
}

// read decodes a recorded event and completes it. An error is about reading the log.
func (t *tracker) read(ctx context.Context, r *domain.Recorded) (projections.Event, error) {
	e := projections.Event{Recorded: r}
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

// alone decodes an event and completes it with what the run's first event says, but not with what
// came between: a view that wants few events has not seen that.
func (t *tracker) alone(ctx context.Context, r *domain.Recorded) (projections.Event, error) {
	e := projections.Event{Recorded: r}
	id, ok := domain.RunOfStream(r.Stream)
	if !ok {
		return e, nil
	}
	e.Run = id
	e.Fact, e.Err = decode.Fact(r)
	run, known := t.runs.Get(id)
	if !known {
		run = &tracked{id: id}
		for first, err := range t.source.ReadStream(ctx, r.Stream, 0) {
			if err != nil {
				return e, fmt.Errorf("read the first event of run %s: %w", id, err)
			}
			began := projections.Event{Recorded: &first, Run: id}
			if began.Fact, began.Err = decode.Fact(&first); began.Err == nil {
				if err := t.step(ctx, run, &began); err != nil {
					return e, err
				}
			}
			break
		}
		t.runs.Add(id, run)
	}
	e.Of = run.info
	return e, nil
}

// at returns the run as it is before the revision.
func (t *tracker) at(ctx context.Context, id domain.RunID, revision uint64) (*tracked, error) {
	if run, ok := t.runs.Get(id); ok && run.next == revision {
		return run, nil
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
			e := projections.Event{Recorded: &r, Run: id}
			e.Fact, e.Err = decode.Fact(&r)
			if err := t.step(ctx, run, &e); err != nil {
				return nil, err
			}
		}
		run.next = revision // the stream may have lost its beginning
	}
	t.runs.Add(id, run)
	return run, nil
}

// step completes the event from the run, and the run from the event.
func (t *tracker) step(ctx context.Context, run *tracked, e *projections.Event) error {
	run.next = e.Recorded.Revision + 1
	e.Before = run.wake
	if w := e.Meta.Wake; w.State != "" {
		run.wake = w
	}
	switch d := e.Event.(type) {
	case *domain.RunStarted:
		plan, err := t.plan(ctx, d.Plan)
		if err != nil {
			return err
		}
		run.info = &projections.RunInfo{RunStarted: *d, Run: run.id, No: e.Position, At: e.When(), PlanFields: *plan}
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

// latest means the number of a step's latest attempt.
const latest = -1

// about sets the event's attempt. Begun stays empty for an attempt that is not the step's latest.
func (run *tracked) about(e *projections.Event, step string, dir domain.Direction, number int) {
	a, ok := run.open[attemptKey{step, dir}]
	if !ok && dir == domain.Probe { // the event has the number of the attempt in doubt
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

// plan returns what views need of a plan. If the log does not have the plan, every field is secret.
func (t *tracker) plan(ctx context.Context, hash string) (*projections.PlanFields, error) {
	if p := t.plans[hash]; p != nil {
		return p, nil
	}
	fields, err := projections.ReadPlanFields(ctx, t.source, hash)
	if err != nil && !errors.Is(err, projections.ErrNoPlan) {
		return nil, err
	}
	if err != nil && len(hash) == planHash {
		fields.NoPlan = err.Error()
	}
	p := &fields
	t.plans[hash] = p
	return p, nil
}
