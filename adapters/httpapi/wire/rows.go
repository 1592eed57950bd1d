package wire

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
)

// RunItem is a run in a list.
type RunItem struct {
	// No numbers runs in the order of their starts.
	No      domain.Position `json:"no"`
	ID      domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	// Plan is the hash of the plan that the run is pinned to.
	Plan  string          `json:"plan"`
	State domain.RunState `json:"state"`
	// Started and Ended are by the coordinators' clocks; Ended is absent while the run goes on.
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
	// Wake is when the next timer of the run fires.
	Wake time.Time `json:"wake,omitzero"`
	// Attempts counts all attempts in all directions.
	Attempts int `json:"attempts"`
	// Cause is why the run turned back; Error the message of its latest failure.
	Cause *domain.Failure `json:"cause,omitempty"`
	Error string          `json:"error,omitempty"`
	// Steps lists what is under way, at most 64 steps; More counts the others.
	Steps []RunStep `json:"steps,omitempty"`
	More  int       `json:"more,omitempty"`
	// Actions names the actions that the run has tried; at most 64.
	Actions []string `json:"actions,omitempty"`
	// Paused and Blocked are reasons.
	Paused  string `json:"paused,omitempty"`
	Blocked string `json:"blocked,omitempty"`
	// Left lists the steps whose effect was left behind, Reason is why a person abandoned the run.
	Left    []string `json:"left,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Waiting string   `json:"waiting,omitempty" doc:"What an unfinished run waits for, in a sentence."`
}

// RunStep is a step of a [RunItem] that is under way.
type RunStep struct {
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction,omitempty"`
	// Kind is what the step waits for: attempt, retry, probe, timer, signal, event, child or
	// person.
	Kind    string `json:"kind"`
	Action  string `json:"action,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// What names the signal, event, child run or incident.
	What string `json:"what,omitempty"`
	// Since is when it began to wait, Due when the wait ends by itself.
	Since time.Time `json:"since"`
	Due   time.Time `json:"due,omitzero"`
	// Error is the latest failure of the step in that direction.
	Error string `json:"error,omitempty"`
}

// RunItemOf returns the body of a row of the runs view.
func RunItemOf(r *runs.Row, now time.Time) RunItem {
	item := RunItem{
		No: r.No, ID: r.ID, Saga: r.Saga, Version: r.Version, Plan: r.Plan, State: r.State, Started: r.Started, Ended: r.Ended, Updated: r.Updated,
		Revision: r.Revision, Actor: r.Actor, Key: r.Key, Labels: r.Labels, Parent: r.Parent, Trigger: r.Trigger, Deadline: r.Deadline, Wake: r.Wake,
		Attempts: r.Attempts, Cause: r.Cause, Error: r.Error, More: r.More, Actions: r.Actions, Paused: r.Paused, Blocked: r.Blocked, Left: r.Left,
		Reason: r.Reason, Waiting: r.Waiting(now),
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		item.Steps = append(item.Steps, RunStep{Step: s.Step, Direction: s.Direction, Kind: string(s.Kind), Action: s.Action, Attempt: s.Attempt,
			What: s.What, Since: s.Since, Due: s.Due, Error: s.Error})
	}
	return item
}

// Duration is how long the run took or, while it goes on, has taken by now.
func (r *RunItem) Duration(now time.Time) time.Duration {
	if r.Ended.IsZero() {
		return now.Sub(r.Started)
	}
	return r.Ended.Sub(r.Started)
}

// AuditRow is an act or an outcome in the audit.
type AuditRow struct {
	Position domain.Position `json:"position"`
	Run      domain.RunID    `json:"run"`
	Revision uint64          `json:"revision"`
	At       time.Time       `json:"at"`
	Saga     string          `json:"saga,omitempty"`
	// What is the event's wire name without its version, or "emitted" for an action's domain event.
	What      string           `json:"what"`
	Step      string           `json:"step,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Attempt   int              `json:"attempt,omitempty"`
	Action    string           `json:"action,omitempty"`
	Actor     string           `json:"actor,omitempty"`
	Error     string           `json:"error,omitempty"`
	// Note is what else is worth telling: a reason, the time of the retry, the type of an emitted
	// event.
	Note string `json:"note,omitempty"`
}

// AuditRowOf returns the body of a row of the audit view.
func AuditRowOf(r *audit.Row) AuditRow {
	return AuditRow{Position: r.Position, Run: r.Run, Revision: r.Revision, At: r.At, Saga: r.Saga, What: r.What, Step: r.Step, Direction: r.Direction,
		Attempt: r.Attempt, Action: r.Action, Actor: r.Actor, Error: r.Error, Note: r.Note}
}

// Incident is an incident in a list.
type Incident struct {
	// No is the position of the event that opened it.
	No domain.Position `json:"no"`
	// ID is what people call it by.
	ID        string           `json:"incident"`
	Run       domain.RunID     `json:"run"`
	Saga      string           `json:"saga"`
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction"`
	Action    string           `json:"action,omitempty"`
	// Attempts is how many attempts the step had in that direction.
	Attempts int                `json:"attempts,omitempty"`
	Kind     domain.FailureKind `json:"kind"`
	Cause    string             `json:"cause"`
	Opened   time.Time          `json:"opened"`
	// Resolved is absent while the incident is open.
	Resolved time.Time `json:"resolved,omitzero"`
	// By is who ended it, How what ended it, Reason why.
	By     string          `json:"by,omitempty"`
	How    string          `json:"how,omitempty"`
	Reason string          `json:"reason,omitempty"`
	Age    domain.Duration `json:"age" doc:"How long it has been open, or was."`
}

// IncidentOf returns the body of a row of the incidents view.
func IncidentOf(i *incidents.Row, now time.Time) Incident {
	return Incident{No: i.No, ID: i.ID, Run: i.Run, Saga: i.Saga, Step: i.Step, Direction: i.Direction, Action: i.Action, Attempts: i.Attempts,
		Kind: i.Kind, Cause: i.Cause, Opened: i.Opened, Resolved: i.Resolved, By: i.By, How: i.How, Reason: i.Reason,
		Age: domain.Duration(i.Age(now).Round(time.Millisecond))}
}

// Counts is what is counted of an action in a direction, or of a saga's runs.
type Counts struct {
	// Started counts attempts, or runs.
	Started   int64 `json:"started"`
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	Retried   int64 `json:"retried"`
	// TimedOut and Lost are among Failed.
	TimedOut int64 `json:"timed_out"`
	Lost     int64 `json:"lost"`
	// Cancelled and Abandoned count runs, Stuck incidents.
	Cancelled int64 `json:"cancelled"`
	Abandoned int64 `json:"abandoned"`
	Stuck     int64 `json:"stuck"`
}

// Stat is a statistic with its latencies as numbers.
type Stat struct {
	Saga      string           `json:"saga"`
	Action    string           `json:"action,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Counts
	FailureRate float64 `json:"failure_rate" doc:"The share of failures among the outcomes, from 0 to 1."`
	RetryRate   float64 `json:"retry_rate" doc:"The share of retries among the attempts, from 0 to 1."`
	// Latencies are in seconds.
	Mean float64 `json:"mean_seconds"`
	P50  float64 `json:"p50_seconds"`
	P95  float64 `json:"p95_seconds"`
	P99  float64 `json:"p99_seconds"`
	Max  float64 `json:"max_seconds"`
}

// StatOf returns the body of a statistic.
func StatOf(s *stats.Row) Stat {
	l := &s.Latency
	return Stat{Saga: s.Saga, Action: s.Action, Direction: s.Direction, Counts: Counts(s.Counts),
		FailureRate: s.FailureRate(), RetryRate: s.RetryRate(), Mean: l.Mean().Seconds(),
		P50: l.Quantile(0.5).Seconds(), P95: l.Quantile(0.95).Seconds(), P99: l.Quantile(0.99).Seconds(), Max: l.Max.Seconds()}
}

// StatPoint is a [Stat] over one bucket of time.
type StatPoint struct {
	Stat
	From  time.Time       `json:"from,omitzero" doc:"When the bucket begins; absent for all time."`
	Width domain.Duration `json:"width,omitzero" doc:"How long the bucket is; absent for all time."`
}

// Stats is the answer to a question for statistics.
type Stats struct {
	Stats []Stat `json:"stats"`
	// Points are the same over time, where asked for.
	Points []StatPoint `json:"points,omitempty"`
}

// RowsOf returns a page of bodies, each made of one row by the function.
func RowsOf[Row, Body any](p projections.Page[Row], body func(*Row) Body) Page[Body] {
	items := make([]Body, len(p.Rows))
	for i := range p.Rows {
		items[i] = body(&p.Rows[i])
	}
	return PageOf(items, p.Next, &p.As)
}
