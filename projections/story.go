package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
)

// StoryRow is one event of a run's story. Payloads are redacted.
type StoryRow struct {
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
	// Took is how long the attempt lasted that this event ends, or the wait (sleep, await, child run, being stuck).
	Took time.Duration `json:"took_ns,omitempty"`
	// Waited is how long the step waited, since its last failure, for the attempt that this event begins.
	Waited time.Duration `json:"waited_ns,omitempty"`
	Error  string        `json:"error,omitempty"`
	// Note is what else is worth telling: a reason, the time of the retry, the type of an emitted event.
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
	Started time.Time       `json:"started,omitzero"`
	Ended   time.Time       `json:"ended,omitzero"`
	Rows    []StoryRow      `json:"rows"`
}

// TellStory reads the story of a run from its stream. It fails with [ErrNotFound] where there is no such
// run. A run whose plan is missing has all its payloads redacted.
func TellStory(ctx context.Context, source Source, run domain.RunID) (*Story, error) {
	t := NewTeller(run, nil)
	for r, err := range source.ReadStream(ctx, domain.RunStream(run), 0) {
		if err != nil {
			return nil, fmt.Errorf("read the story of run %s: %w", run, err)
		}
		f, err := decodeFact(&r)
		if err != nil {
			t.Story.Rows = append(t.Story.Rows, StoryRow{Revision: r.Revision, At: r.Created, What: r.Type, Error: err.Error()})
			continue
		}
		if s, ok := f.Event.(*domain.RunStarted); ok {
			fields, err := SecretFields(ctx, source, s.Plan)
			if err != nil {
				return nil, err
			}
			t.Cloak = secret.NewCloak(fields)
		}
		t.Tell(f)
	}
	if len(t.Story.Rows) == 0 {
		return nil, fmt.Errorf("run %s: %w", run, ErrNotFound)
	}
	return &t.Story, nil
}

// StoryOf tells the story that the facts make up. The secret fields are those of the run's plan.
func StoryOf(run domain.RunID, facts []domain.Fact, fields Fields) *Story {
	t := NewTeller(run, fields)
	for _, f := range facts {
		t.Tell(f)
	}
	return &t.Story
}

// SecretFields returns the fields of payloads that the plan with that hash keeps secret. Where the
// plan isn't in the log these are all fields.
func SecretFields(ctx context.Context, source Source, plan string) (Fields, error) {
	fields, _, err := readPlanFields(ctx, source, plan)
	if err != nil && fields == nil {
		return nil, err
	}
	return fields, nil
}

// Teller tells a story event by event, for following a run live. It is not safe for concurrent use.
type Teller struct {
	// Cloak hides what is secret.
	Cloak *secret.Cloak
	// Story is what was told so far.
	Story Story

	begun  map[attemptKey]time.Time // attempts and waits under way
	failed map[attemptKey]time.Time // when the last attempt failed
	action map[attemptKey]string
}

// NewTeller returns a teller at the beginning of a run's story.
func NewTeller(run domain.RunID, fields Fields) *Teller {
	return &Teller{Cloak: secret.NewCloak(fields), Story: Story{Run: run}, begun: map[attemptKey]time.Time{}, failed: map[attemptKey]time.Time{}, action: map[attemptKey]string{}}
}

// waiting is the direction under which waits other than attempts are remembered.
const waiting domain.Direction = "wait"

// Tell adds an event to the story and returns its row.
func (t *Teller) Tell(f domain.Fact) StoryRow {
	a := describe(&f)
	cloak := t.Cloak.With(f.Meta.Secret)
	cloak.Learn(a.payloads(&f)...)
	row := StoryRow{Revision: f.Revision, At: f.Meta.At, What: a.what, Step: a.step, Direction: a.direction, Attempt: a.attempt, Action: a.action,
		Actor: f.Meta.Actor, Note: cloak.Text(a.note), Input: cloak.Payload(a.input), Output: cloak.Payload(a.output)}
	if a.cause != nil {
		row.Error = cloak.Text(a.cause.Message)
	}
	s := &t.Story
	if e, ok := f.Event.(*domain.RunStarted); ok {
		s.Saga, s.Version, s.Started = e.Saga, e.Version, f.Meta.At
	}
	row.Offset = f.Meta.At.Sub(s.Started)
	t.durations(&f, &row)
	if w := f.Meta.Wake.State; w != "" {
		s.State = w
		s.Ended = time.Time{}
		if w.Ended() {
			s.Ended = f.Meta.At
		}
	}
	s.Rows = append(s.Rows, row)
	return row
}

// durations says how long what the event ends has lasted.
func (t *Teller) durations(f *domain.Fact, row *StoryRow) {
	k := attemptKey{row.Step, row.Direction}
	at := f.Meta.At
	since := func(m map[attemptKey]time.Time, k attemptKey) (d time.Duration) {
		if from, ok := m[k]; ok {
			d = max(0, at.Sub(from))
			delete(m, k)
		}
		return d
	}
	switch e := f.Event.(type) {
	case *domain.AttemptStarted:
		row.Waited = since(t.failed, k)
		t.begun[k], t.action[k] = at, e.Action
	case *domain.AttemptSucceeded, *domain.StepProbed:
		row.Took, row.Action = since(t.begun, k), t.action[k]
		delete(t.failed, k)
	case *domain.AttemptFailed:
		row.Took, row.Action = since(t.begun, k), t.action[k]
		t.failed[k] = at
	case *domain.OutcomeLate, *domain.AttemptHeartbeat:
		row.Action = t.action[k]
	case *domain.TimerSet, *domain.AwaitOpened, *domain.ChildStarted:
		t.begun[attemptKey{row.Step, waiting}] = at
	case *domain.TimerFired, *domain.AwaitMet, *domain.ChildEnded:
		row.Took = since(t.begun, attemptKey{row.Step, waiting})
	case *domain.RunStuck:
		row.Action = t.action[k]
		t.begun[attemptKey{row.Step, "stuck " + row.Direction}] = at
	case *domain.StepRetried, *domain.StepResolved:
		row.Action = t.action[k]
		row.Took = since(t.begun, attemptKey{row.Step, "stuck " + row.Direction})
	case *domain.RunCompleted, *domain.RunCompensated, *domain.RunCancelled, *domain.RunAbandoned:
		row.Took = row.Offset
	}
}
