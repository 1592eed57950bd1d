package explain

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/machine"
)

// Run is a run's state for people and programs, as of a revision.
type Run struct {
	ID       domain.RunID      `json:"run"`
	Saga     string            `json:"saga"`
	Version  int               `json:"version"`
	Plan     string            `json:"plan"`
	State    domain.RunState   `json:"state"`
	Revision int64             `json:"revision"`
	Key      string            `json:"key,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Parent   *domain.ParentRef `json:"parent,omitempty"`
	Actor    string            `json:"actor,omitempty"`
	// AgainOf is the ended run that was started again as this one.
	AgainOf  domain.RunID    `json:"again_of,omitzero"`
	Input    json.RawMessage `json:"input,omitempty"`
	Output   json.RawMessage `json:"output,omitempty"`
	Cause    *domain.Failure `json:"cause,omitempty"`
	Left     []string        `json:"left,omitempty"`
	Started  time.Time       `json:"started"`
	Ended    time.Time       `json:"ended,omitzero"`
	Deadline time.Time       `json:"deadline,omitzero"`
	Wake     time.Time       `json:"wake,omitzero"`
	Paused   string          `json:"paused,omitempty"`
	Blocked  string          `json:"blocked,omitempty"`
	Steps    []Step          `json:"steps"`
}

// Step is a step in a [Run].
type Step struct {
	Path     string          `json:"step"`
	Kind     domain.Kind     `json:"kind"`
	Action   string          `json:"action,omitempty"`
	Phase    machine.Phase   `json:"phase"`
	Attempts int             `json:"attempts,omitempty"`
	Undos    int             `json:"undo_attempts,omitempty"`
	Input    json.RawMessage `json:"input,omitempty"`
	Output   json.RawMessage `json:"output,omitempty"`
	InDoubt  bool            `json:"in_doubt,omitempty"`
	Cause    *domain.Failure `json:"cause,omitempty"`
	Incident string          `json:"incident,omitempty"`
	// Tried is when the latest attempt began, in the direction that the step goes.
	Tried   time.Time `json:"tried,omitzero"`
	RetryAt time.Time `json:"retry_at,omitzero"`
	// Due is when the attempt in flight, or the wait, is given up; HeartbeatDue when the attempt is
	// without a heartbeat before. Details are those of its latest heartbeat.
	Due          time.Time       `json:"due,omitzero"`
	HeartbeatDue time.Time       `json:"heartbeat_due,omitzero"`
	Details      json.RawMessage `json:"heartbeat_details,omitempty"`
	Child        *domain.RunID   `json:"child,omitempty"`
	// InForce is the policy of the latest attempt, where it is not the one of the run's plan.
	InForce *domain.Policy `json:"in_force,omitempty"`
}

// Describe describes a folded state.
func Describe(s *machine.State) Run {
	v := Run{
		ID: s.Run, Saga: s.Start.Saga, Version: s.Start.Version, Plan: s.Start.Plan, State: s.Status(), Revision: s.Revision,
		Key: s.Start.Key, Labels: s.Start.Labels, Parent: s.Start.Parent, AgainOf: s.Start.AgainOf, Actor: s.Actor, Input: s.Start.Input, Output: s.Output,
		Cause: s.Cause, Left: s.Left, Started: s.StartedAt, Ended: s.EndedAt, Deadline: s.Start.Deadline, Wake: s.Wake().Due, Blocked: s.Blocked,
	}
	if s.Paused {
		v.Paused = cmp.Or(s.PauseReason, "paused")
	}
	s.Steps(func(st *machine.Step) {
		sv := Step{Path: st.Path, Kind: st.Node.Kind, Phase: st.Phase, Attempts: st.Do.N, Undos: st.Undo.N, Input: st.Input, Output: st.Output,
			InDoubt: st.InDoubt, Cause: st.Cause, Incident: st.Incident, Due: st.Due, InForce: st.InForce}
		t := st.Tries(st.Direction())
		sv.Tried = t.Last
		if st.Node.Action != nil {
			sv.Action = st.Node.Action.Name
		}
		if sv.Cause == nil {
			sv.Cause = st.Do.Cause
		}
		switch st.Phase {
		case machine.Backoff:
			sv.RetryAt = st.Do.RetryAt
		case machine.UndoBackoff:
			sv.RetryAt = st.Undo.RetryAt
		case machine.ProbeBackoff:
			sv.RetryAt = st.Probe.RetryAt
		case machine.Running, machine.Undoing, machine.Probing:
			sv.Due, sv.HeartbeatDue, sv.Details = t.Due, t.BeatDue, t.Details
		}
		if st.Child != (domain.RunID{}) {
			id := st.Child
			sv.Child = &id
		}
		v.Steps = append(v.Steps, sv)
	})
	return v
}

// StuckAt returns the paths of the steps of the action that the run is stuck at.
func (v *Run) StuckAt(action string) (steps []string) {
	for i := range v.Steps {
		if st := &v.Steps[i]; st.Incident != "" && st.Action == action {
			steps = append(steps, st.Path)
		}
	}
	return steps
}

// Cloak returns a cloak for the run's secrets: the given fields, and the values that they have in
// it.
func (v *Run) Cloak(fields []string) *secret.Cloak {
	c := secret.NewCloak(fields)
	c.Learn(v.Input, v.Output)
	for i := range v.Steps {
		c.Learn(v.Steps[i].Input, v.Steps[i].Output, v.Steps[i].Details)
	}
	return c
}

// Hide returns a copy of the run with the cloak's secrets hidden.
func (v Run) Hide(c *secret.Cloak) Run {
	if len(c.Fields()) == 0 {
		return v
	}
	v.Input, v.Output, v.Cause = c.Payload(v.Input), c.Payload(v.Output), c.Failure(v.Cause)
	v.Paused, v.Blocked = c.Text(v.Paused), c.Text(v.Blocked)
	steps := make([]Step, len(v.Steps))
	copy(steps, v.Steps)
	for i := range steps {
		st := &steps[i]
		st.Input, st.Output, st.Cause = c.Payload(st.Input), c.Payload(st.Output), c.Failure(st.Cause)
		st.Details = c.Payload(st.Details)
	}
	v.Steps = steps
	return v
}
