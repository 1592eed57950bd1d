package runs

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Row is a run as the view stores it.
type Row struct {
	// No is the position of the run's first event: it numbers runs in the order of their starts.
	No      domain.Position `json:"no"`
	ID      domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	// Plan is the hash of the plan that the run is pinned to.
	Plan  string          `json:"plan"`
	State domain.RunState `json:"state"`
	// Started and Ended are by the coordinators' clocks; Ended is zero while the run goes on.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Updated and Revision are those of the last event.
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
	// Cause is why the run turned back; Error the message of its latest failure, whatever came of
	// it.
	Cause *domain.Failure `json:"cause,omitempty"`
	Error string          `json:"error,omitempty"`
	// Steps lists what is under way, in the order in which it began; at most 64 steps. More counts
	// the others.
	Steps []Step `json:"steps,omitempty"`
	More  int    `json:"more,omitempty"`
	// Actions names the actions that the run has tried; at most 64.
	Actions []string `json:"actions,omitempty"`
	// Paused and Blocked are reasons; empty where the run is neither.
	Paused  string `json:"paused,omitempty"`
	Blocked string `json:"blocked,omitempty"`
	// Left lists the steps whose effect was left behind, and Reason why a person abandoned the run.
	Left   []string `json:"left,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// StepKind says what a step under way waits for.
type StepKind string

// The kinds of waiting.
const (
	WaitsOutcome StepKind = "attempt" // an attempt is in flight
	WaitsRetry   StepKind = "retry"   // for the time of the next attempt
	WaitsProbe   StepKind = "probe"   // to be asked whether an attempt took effect
	WaitsTimer   StepKind = "timer"   // a sleep
	WaitsSignal  StepKind = "signal"  // for a signal, named by What
	WaitsEvent   StepKind = "event"   // for a domain event, named by What
	WaitsChild   StepKind = "child"   // for a child run, named by What
	WaitsPerson  StepKind = "person"  // stuck; What is the incident's id
)

// Step is a step that is under way.
type Step struct {
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction,omitempty"`
	Kind      StepKind         `json:"kind"`
	Action    string           `json:"action,omitempty"`
	Attempt   int              `json:"attempt,omitempty"`
	What      string           `json:"what,omitempty"`
	// Since is when it began to wait, Due when the wait ends by itself.
	Since time.Time `json:"since"`
	Due   time.Time `json:"due,omitzero"`
	// Error is the latest failure of the step in that direction.
	Error string `json:"error,omitempty"`
}

// encode returns the row of the table. The columns that queries filter and sort by stand beside the
// whole row as JSON.
func (r *Row) encode() (projections.Row, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write run %s: %w", r.ID, err)
	}
	row := projections.Row{columnNo: int64(r.No), columnRun: r.ID, columnSaga: r.Saga, columnVersion: r.Version, columnState: string(r.State),
		columnStarted: r.Started, columnEnded: r.Ended, columnWake: r.Wake, columnKey: projections.TextOrNil(r.Key), columnDoc: string(doc)}
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

// Duration is how long the run took or, while it goes on, has taken by now.
func (r *Row) Duration(now time.Time) time.Duration {
	if r.Ended.IsZero() {
		return now.Sub(r.Started)
	}
	return r.Ended.Sub(r.Started)
}
