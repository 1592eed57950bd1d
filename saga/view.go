package saga

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// RunView is a run's state for people and programs, as of a revision.
type RunView struct {
	ID       domain.RunID      `json:"id"`
	Saga     string            `json:"saga"`
	Version  int               `json:"version"`
	Plan     string            `json:"plan"`
	State    domain.RunState   `json:"state"`
	Revision int64             `json:"revision"`
	Key      string            `json:"key,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Parent   *domain.ParentRef `json:"parent,omitempty"`
	Actor    string            `json:"actor,omitempty"`
	Input    json.RawMessage   `json:"input,omitempty"`
	Output   json.RawMessage   `json:"output,omitempty"`
	Cause    *domain.Failure   `json:"cause,omitempty"`
	Left     []string          `json:"left,omitempty"`
	Started  time.Time         `json:"started"`
	Ended    time.Time         `json:"ended,omitzero"`
	Deadline time.Time         `json:"deadline,omitzero"`
	Wake     time.Time         `json:"wake,omitzero"`
	Paused   string            `json:"paused,omitempty"`
	Blocked  string            `json:"blocked,omitempty"`
	Steps    []StepView        `json:"steps"`
}

// StepView is a step in a [RunView].
type StepView struct {
	Path     string          `json:"path"`
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
	RetryAt  time.Time       `json:"retry_at,omitzero"`
	Due      time.Time       `json:"due,omitzero"`
	Child    *domain.RunID   `json:"child,omitempty"`
}

// ViewOf describes a folded state.
func ViewOf(s *machine.State) RunView {
	v := RunView{
		ID: s.Run, Saga: s.Start.Saga, Version: s.Start.Version, Plan: s.Start.Plan, State: s.Status(), Revision: s.Revision,
		Key: s.Start.Key, Labels: s.Start.Labels, Parent: s.Start.Parent, Actor: s.Actor, Input: s.Start.Input, Output: s.Output,
		Cause: s.Cause, Left: s.Left, Started: s.StartedAt, Ended: s.EndedAt, Deadline: s.Start.Deadline, Wake: s.Wake().Due, Blocked: s.Blocked,
	}
	if s.Paused {
		v.Paused = cmp.Or(s.PauseReason, "paused")
	}
	s.Steps(func(st *machine.Step) {
		sv := StepView{Path: st.Path, Kind: st.Node.Kind, Phase: st.Phase, Attempts: st.Do.N, Undos: st.Undo.N, Input: st.Input, Output: st.Output,
			InDoubt: st.InDoubt, Cause: st.Cause, Incident: st.Incident, Due: st.Due}
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
		case machine.Running:
			sv.Due = st.Do.Due
		case machine.Undoing:
			sv.Due = st.Undo.Due
		}
		if st.Child != (domain.RunID{}) {
			id := st.Child
			sv.Child = &id
		}
		v.Steps = append(v.Steps, sv)
	})
	return v
}

func (a *actor) view() RunView { return ViewOf(a.state) }

// Describe returns the run's state as of now. Errors: [ErrNotFound].
func (c *Coordinator) Describe(ctx context.Context, id domain.RunID) (RunView, error) {
	v := new(RunView)
	if err := c.do(ctx, id, &request{view: v, ctx: requestContext{actor: c.cfg.Node}}); err != nil {
		return RunView{}, err // where ctx ended, v may yet be written
	}
	return *v, nil
}
