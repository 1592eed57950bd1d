package runs

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga/explain"
)

// Row is a run as the view stores it.
type Row struct {
	// No is the position of the run's first event. It grows from run to run, with gaps.
	No      domain.Position `json:"no"`
	ID      domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	// Plan is the hash of the run's plan.
	Plan  string          `json:"plan"`
	State domain.RunState `json:"state"`
	// Started and Ended are times of the coordinators' clocks. Ended is zero while the run goes on.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Updated and Revision are the time and revision of the last event.
	Updated  time.Time `json:"updated"`
	Revision uint64    `json:"revision"`
	// Actor is who started the run.
	Actor  string            `json:"actor,omitempty"`
	Key    string            `json:"key,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Parent is set for a child run.
	Parent *domain.ParentRef `json:"parent,omitempty"`
	// Trigger is the domain event that started the run, if one did.
	Trigger  *domain.TriggerRef `json:"trigger,omitempty"`
	Deadline time.Time          `json:"deadline,omitzero"`
	// Wake is when the next timer of the run fires; zero where none is set.
	Wake time.Time `json:"wake,omitzero"`
	// Attempts counts all attempts in all directions.
	Attempts int `json:"attempts"`
	// Cause is why the run turned back. Error is the message of its latest failure, even if the run
	// recovered.
	Cause *domain.Failure `json:"cause,omitempty"`
	Error string          `json:"error,omitempty"`
	// Steps lists the steps under way in the order in which they began, at most 64. More counts the
	// others.
	Steps []Step `json:"steps,omitempty"`
	More  int    `json:"more,omitempty"`
	// Actions names the actions that the run has tried; at most 64.
	Actions []string `json:"actions,omitempty"`
	// Paused and Blocked are reasons; empty where the run is neither.
	Paused  string `json:"paused,omitempty"`
	Blocked string `json:"blocked,omitempty"`
	// Below counts the child runs that are stuck, or that have a run below them that is.
	Below int `json:"below,omitempty"`
	// Blocker is the run below that is stuck; nil unless [LookBelow] has found it.
	Blocker *Blocker `json:"-"`
	// Fields has the values of the payload fields that the plan marks as searchable, by the
	// lower-case names of the members; at most 64 in all. No secret is among them.
	Fields map[string][]string `json:"fields,omitempty"`
	// Left lists the steps whose effect was left behind, and Reason why a person abandoned the run.
	Left   []string `json:"left,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// Step is a step that is under way.
type Step struct {
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction,omitempty"`
	// WaitsFor is an outcome, a retry, a probe, a time, a signal, an event, a child or a person;
	// What names the signal, event, child run or incident.
	WaitsFor explain.For `json:"waits_for"`
	Action   string      `json:"action,omitempty"`
	Attempt  int         `json:"attempt,omitempty"`
	What     string      `json:"what,omitempty"`
	// Since is when it began to wait, Due when the wait ends by itself.
	Since time.Time `json:"since"`
	Due   time.Time `json:"due,omitzero"`
	// Error is the latest failure of the step in that direction.
	Error string `json:"error,omitempty"`
}

// encode returns the run as a row of the table: the columns that queries filter and sort by, and
// the whole Row as JSON.
func (r *state) encode() (projections.Row, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write run %s: %w", r.ID, err)
	}
	row := projections.Row{columnN: r.n, columnRun: r.ID, columnSaga: r.Saga, columnVersion: r.Version, columnState: r.states(),
		columnStarted: r.Started, columnEnded: r.Ended, columnWake: r.Wake, columnKey: projections.TextOrNil(r.Key), columnIDEnd: idEnd(r.ID), columnTags: r.tags(), columnAttempts: int64(r.Attempts), columnDoc: string(doc)}
	row[columnKey1], row[columnKey2] = projections.Beginning(r.Key)
	if r.Parent != nil {
		row[columnParent] = r.Parent.Run
	}
	if r.Error != "" || r.Cause != nil || r.Blocked != "" {
		cause := ""
		if r.Cause != nil {
			cause = r.Cause.Message
		}
		row[columnWords] = projections.TextOrNil(projections.Words(cause, r.Error, r.Blocked))
	}
	return row, nil
}

// decode reads what encode returned.
func decode(row projections.Row) (r Row, err error) {
	if err := json.Unmarshal([]byte(row.Text(columnDoc)), &r); err != nil {
		return r, fmt.Errorf("read a row of the runs view: %w", err)
	}
	return r, nil
}

// Duration is how long the run took, or has taken so far.
func (r *Row) Duration(now time.Time) time.Duration {
	if r.Ended.IsZero() {
		return now.Sub(r.Started)
	}
	return r.Ended.Sub(r.Started)
}
