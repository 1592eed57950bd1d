package story

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/internal/decode"
	"github.com/atonehq/atone/saga/explain"
)

// Line is one event of a story. Payloads are redacted.
type Line struct {
	Revision uint64    `json:"revision"`
	At       time.Time `json:"at"`
	// Offset is the time since the run's start.
	Offset time.Duration `json:"offset_ns"`
	// What is the event's wire name without its version, or [Emitted].
	What      string           `json:"what"`
	Step      string           `json:"step,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Attempt   int              `json:"attempt,omitempty"`
	Action    string           `json:"action,omitempty"`
	Actor     string           `json:"actor,omitempty"`
	// Took is how long the attempt lasted that this event ends, or the wait (sleep, await, child
	// run, being stuck).
	Took time.Duration `json:"took_ns,omitempty"`
	// Waited is how long the step waited, since its last failure, for the attempt that this event
	// begins.
	Waited time.Duration `json:"waited_ns,omitempty"`
	Error  string        `json:"error,omitempty"`
	// Note is further information: a reason, the time of the retry, the type of an emitted event.
	Note   string          `json:"note,omitempty"`
	Input  json.RawMessage `json:"input,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
}

// Story is what happened to a run, in order.
type Story struct {
	Run     domain.RunID    `json:"run"`
	Saga    string          `json:"saga,omitempty"`
	Version int             `json:"version,omitempty"`
	State   domain.RunState `json:"state,omitempty"`
	// Standing is how the run stands now, for whoever knows: a story is of what was.
	Standing explain.Standing `json:"standing,omitempty"`
	Started  time.Time        `json:"started,omitzero"`
	Ended    time.Time        `json:"ended,omitzero"`
	Lines    []Line           `json:"rows"`
}

// Tell reads the story of a run from its stream. It fails with [projections.ErrNotFound] if there
// is no such run. If the run's plan is missing, all payloads are redacted.
func Tell(ctx context.Context, source projections.Source, run domain.RunID) (*Story, error) {
	t := NewTeller(run, nil)
	for r, err := range source.ReadStream(ctx, domain.RunStream(run), 0) {
		if err != nil {
			return nil, fmt.Errorf("read the story of run %s: %w", run, err)
		}
		f, err := decode.Fact(&r)
		if err != nil {
			t.Story.Lines = append(t.Story.Lines, Line{Revision: r.Revision, At: r.Created, What: r.Type, Error: err.Error()})
			continue
		}
		if s, ok := f.Event.(*domain.RunStarted); ok {
			fields, err := projections.SecretFields(ctx, source, s.Plan)
			if err != nil {
				return nil, err
			}
			t.Cloak = secret.NewCloak(fields)
		}
		t.Tell(f)
	}
	if len(t.Story.Lines) == 0 {
		return nil, fmt.Errorf("run %s: %w", run, projections.ErrNotFound)
	}
	return &t.Story, nil
}

// Of tells the story of the facts. The secret fields are those of the run's plan.
func Of(run domain.RunID, facts []domain.Fact, fields secret.Fields) *Story {
	t := NewTeller(run, fields)
	for _, f := range facts {
		t.Tell(f)
	}
	return &t.Story
}

// Teller tells a story event by event, for following a run live. It is not safe for concurrent use.
type Teller struct {
	// Cloak hides the secrets.
	Cloak *secret.Cloak
	// Story is the story so far.
	Story Story

	begun  map[stepKey]time.Time // attempts and waits under way
	failed map[stepKey]time.Time // when the last attempt failed
	action map[stepKey]string
}

// NewTeller returns a teller at the beginning of a run's story.
func NewTeller(run domain.RunID, fields secret.Fields) *Teller {
	return &Teller{Cloak: secret.NewCloak(fields), Story: Story{Run: run}, begun: map[stepKey]time.Time{}, failed: map[stepKey]time.Time{}, action: map[stepKey]string{}}
}

// stepKey is a step in one direction.
type stepKey struct {
	step string
	dir  domain.Direction
}

// waiting is the direction under which waits other than attempts are remembered.
const waiting domain.Direction = "wait"

// Tell adds an event to the story and returns its line.
func (t *Teller) Tell(f domain.Fact) Line {
	a := Describe(&f)
	cloak := t.Cloak.With(f.Meta.Secret)
	cloak.Learn(a.payloads(&f)...)
	line := Line{Revision: f.Revision, At: f.Meta.At, What: a.What, Step: a.Step, Direction: a.Direction, Attempt: a.Attempt, Action: a.Action,
		Actor: f.Meta.Actor, Note: cloak.Text(a.Note), Input: cloak.Payload(a.Input), Output: cloak.Payload(a.Output)}
	if a.Cause != nil {
		line.Error = cloak.Text(a.Cause.Message)
	}
	s := &t.Story
	if e, ok := f.Event.(*domain.RunStarted); ok {
		s.Saga, s.Version, s.Started = e.Saga, e.Version, f.Meta.At
	}
	line.Offset = f.Meta.At.Sub(s.Started)
	t.durations(&f, &line)
	if w := f.Meta.Wake.State; w != "" {
		s.State = w
		s.Ended = time.Time{}
		if w.Ended() {
			s.Ended = f.Meta.At
		}
	}
	s.Lines = append(s.Lines, line)
	return line
}

// durations sets how long the attempt or wait lasted that the event ends.
func (t *Teller) durations(f *domain.Fact, line *Line) {
	k := stepKey{line.Step, line.Direction}
	at := f.Meta.At
	since := func(m map[stepKey]time.Time, k stepKey) (d time.Duration) {
		if from, ok := m[k]; ok {
			d = max(0, at.Sub(from))
			delete(m, k)
		}
		return d
	}
	switch e := f.Event.(type) {
	case *domain.AttemptStarted:
		line.Waited = since(t.failed, k)
		t.begun[k], t.action[k] = at, e.Action
	case *domain.AttemptSucceeded, *domain.StepProbed:
		line.Took, line.Action = since(t.begun, k), t.action[k]
		delete(t.failed, k)
	case *domain.AttemptFailed:
		line.Took, line.Action = since(t.begun, k), t.action[k]
		t.failed[k] = at
	case *domain.OutcomeLate, *domain.AttemptHeartbeat:
		line.Action = t.action[k]
	case *domain.TimerSet, *domain.AwaitOpened, *domain.ChildStarted:
		t.begun[stepKey{line.Step, waiting}] = at
	case *domain.TimerFired, *domain.AwaitMet, *domain.ChildEnded:
		line.Took = since(t.begun, stepKey{line.Step, waiting})
	case *domain.RunStuck:
		line.Action = t.action[k]
		t.begun[stepKey{line.Step, "stuck " + line.Direction}] = at
	case *domain.StepRetried, *domain.StepResolved:
		line.Action = t.action[k]
		line.Took = since(t.begun, stepKey{line.Step, "stuck " + line.Direction})
	case *domain.RunCompleted, *domain.RunCompensated, *domain.RunCancelled, *domain.RunAbandoned:
		line.Took = line.Offset
	}
}
