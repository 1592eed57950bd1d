package wire

import (
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
	"github.com/atonehq/atone/saga/desk"
	"github.com/atonehq/atone/saga/explain"
)

// RunItem is a run in a list.
type RunItem struct {
	// No numbers runs in the order of their starts.
	No      domain.Position `json:"no"`
	ID      domain.RunID    `json:"run"`
	Saga    string          `json:"saga"`
	Version int             `json:"version"`
	// Plan is the hash of the run's plan.
	Plan  string          `json:"plan"`
	State domain.RunState `json:"state"`
	// Started and Ended are times by the coordinators' clocks. Ended is absent while the run goes
	// on.
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Updated and Revision are the time and revision of the run's last event.
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
	// Cause is why the run turned back. Error is the message of its latest failure.
	Cause *domain.Failure `json:"cause,omitempty"`
	Error string          `json:"error,omitempty"`
	// Steps lists the steps that are under way, at most 64; More counts the others.
	Steps []RunStep `json:"steps,omitempty"`
	More  int       `json:"more,omitempty"`
	// Actions names the actions that the run has tried; at most 64.
	Actions []string `json:"actions,omitempty"`
	// States lists every state that the run is in, the one to show first. Besides State it may
	// have stuck-below, blocked, paused, retrying, waiting and working.
	States []domain.RunState `json:"states"`
	// Paused and Blocked say why the run is paused or blocked; empty if it is not.
	Paused  string `json:"paused,omitempty"`
	Blocked string `json:"blocked,omitempty"`
	// Left lists the steps whose effect was left behind. Reason is why a person abandoned the run.
	Left    []string      `json:"left,omitempty"`
	Reason  string        `json:"reason,omitempty"`
	Waiting string        `json:"waiting,omitempty" doc:"What an unfinished run waits for, in a sentence."`
	StuckOn *runs.Blocker `json:"stuck_on,omitempty" doc:"The stuck run below this one: its saga, key and step, and why it is stuck."`
	// Held is the hold that the run waits for.
	Held *explain.Hold `json:"held,omitempty" doc:"The held action that the run waits for: action, reason, by whom and since when."`
}

// RunStep is a step of a [RunItem] that is under way.
type RunStep struct {
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction,omitempty"`
	// WaitsFor is what the step waits for, in the words of [explain.Wait]: outcome, retry, probe,
	// time, signal, event, child or person.
	WaitsFor explain.For `json:"waits_for"`
	Action   string      `json:"action,omitempty"`
	Attempt  int         `json:"attempt,omitempty"`
	// What names the signal, event, child run or incident.
	What string `json:"what,omitempty"`
	// Since is when the step began to wait. Due is when the wait ends by itself.
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
		Reason: r.Reason, Waiting: r.Waiting(now, explain.ClockIn(now, time.UTC)), States: r.States(), StuckOn: r.Blocker,
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		item.Steps = append(item.Steps, RunStep{Step: s.Step, Direction: s.Direction, WaitsFor: s.WaitsFor, Action: s.Action, Attempt: s.Attempt,
			What: s.What, Since: s.Since, Due: s.Due, Error: s.Error})
	}
	return item
}

// IsHeld is what [RunItem.Shown] says of a run that waits for a held action.
const IsHeld domain.RunState = "held"

// Shown is the state that people should see.
func (r *RunItem) Shown() domain.RunState {
	if r.Held != nil {
		return IsHeld
	}
	if len(r.States) > 0 {
		return r.States[0]
	}
	return r.State // from a server of an older version
}

// Waits is Waiting with its instants written by the clock, such as one in the reader's zone.
func (r *RunItem) Waits(now time.Time, clock explain.Clock) string {
	if h := r.Held; h != nil {
		return fmt.Sprintf("held: %s, by %s since %s (action %s)", h.Reason, h.By, clock(h.Since), h.Action)
	}
	row := runs.Row{State: r.State, Blocker: r.StuckOn, Paused: r.Paused, Blocked: r.Blocked, More: r.More, Steps: make([]runs.Step, len(r.Steps))}
	for i := range r.Steps {
		s := &r.Steps[i]
		row.Steps[i] = runs.Step{Step: s.Step, Direction: s.Direction, WaitsFor: s.WaitsFor, Action: s.Action, Attempt: s.Attempt,
			What: s.What, Since: s.Since, Due: s.Due, Error: s.Error}
	}
	return row.Waiting(now, clock)
}

// Duration is how long the run took or, if it goes on, has taken so far.
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
	// Note is further information: a reason, the time of the retry, the type of an emitted event.
	Note string `json:"note,omitempty"`
}

// AuditRowOf returns the body of a row of the audit view.
func AuditRowOf(r *audit.Row) AuditRow {
	return AuditRow{Position: r.Position, Run: r.Run, Revision: r.Revision, At: r.At, Saga: r.Saga, What: r.What, Step: r.Step, Direction: r.Direction,
		Attempt: r.Attempt, Action: r.Action, Actor: r.Actor, Error: r.Error, Note: r.Note}
}

// Incident is an incident in a list.
type Incident struct {
	// No is the position of the event that first opened the incident.
	No domain.Position `json:"no" doc:"The position of the event that opened it first."`
	// ID is the id that people use.
	ID        string            `json:"incident" doc:"The incident's id."`
	Run       domain.RunID      `json:"run" doc:"The run that is stuck."`
	Saga      string            `json:"saga" doc:"The run's saga."`
	Key       string            `json:"key,omitempty" doc:"The caller's key of the run."`
	Labels    map[string]string `json:"labels,omitempty" doc:"The run's labels."`
	Parent    *domain.ParentRef `json:"parent,omitempty" doc:"The run and step that started the run, if one did."`
	Step      string            `json:"step" doc:"The step that needs a person."`
	Direction domain.Direction  `json:"direction" doc:"The direction in which the step failed: do, undo, probe or failure."`
	Action    string            `json:"action,omitempty" doc:"The step's action."`
	State     incidents.State   `json:"state" enum:"open,retrying,resolved" doc:"Where it stands: retrying means that a person retried it; if that fails, it is open again."`
	// Attempts counts the step's attempts in that direction.
	Attempts int                `json:"attempts,omitempty" doc:"The attempts that the step had in that direction."`
	Kind     domain.FailureKind `json:"kind" doc:"The kind of the last failure."`
	Cause    string             `json:"cause" doc:"The last failure's message."`
	Group    string             `json:"group" doc:"The id of its group: incidents with the same saga, step, direction and cause."`
	Opened   time.Time          `json:"opened" doc:"When it was opened first."`
	Last     time.Time          `json:"last" doc:"When it was opened last."`
	Times    int                `json:"times" doc:"How often it was opened."`
	// Resolved is absent while the incident is open.
	Resolved time.Time `json:"resolved,omitzero" doc:"When it was resolved."`
	// By is who ended the incident, How is how, and Reason is why.
	By       string          `json:"by,omitempty" doc:"Who retried or ended it."`
	How      string          `json:"how,omitempty" doc:"What ended it."`
	Reason   string          `json:"reason,omitempty" doc:"Why."`
	Assignee string          `json:"assignee,omitempty" doc:"Who looks after it."`
	Snoozed  time.Time       `json:"snoozed,omitzero" doc:"When it shows again, if it was snoozed by itself."`
	Notes    int             `json:"notes,omitempty" doc:"How many notes it has."`
	Note     *incidents.Note `json:"note,omitempty" doc:"The beginning of the latest note."`
	Age      domain.Duration `json:"age" doc:"How long it has been open, or was."`
}

// IncidentOf returns the body of a row of the incidents view.
func IncidentOf(i *incidents.Row, now time.Time) Incident {
	return Incident{No: i.No, ID: i.ID, Run: i.Run, Saga: i.Saga, Key: i.Key, Labels: i.Labels, Parent: i.Parent, Step: i.Step, Direction: i.Direction,
		Action: i.Action, State: i.State, Attempts: i.Attempts, Kind: i.Kind, Cause: i.Cause, Group: i.Group, Opened: i.Opened, Last: i.Last, Times: i.Times,
		Resolved: i.Resolved, By: i.By, How: i.How, Reason: i.Reason, Assignee: i.Assignee, Snoozed: i.Snoozed, Notes: i.Notes, Note: i.Note,
		Age: domain.Duration(i.Age(now).Round(time.Millisecond))}
}

// IncidentDetails is an incident with its history.
type IncidentDetails struct {
	Incident
	History []incidents.Entry `json:"history" doc:"What happened to it, oldest first: the last 1000 entries."`
}

// IncidentGroup is a group of incidents: those of one saga, step, direction and cause.
type IncidentGroup struct {
	ID        string           `json:"group" doc:"The group's id."`
	Saga      string           `json:"saga" doc:"The saga of its runs."`
	Step      string           `json:"step" doc:"The step, with * for the numbers of items."`
	Direction domain.Direction `json:"direction" doc:"What the step was tried in."`
	Action    string           `json:"action,omitempty" doc:"The step's action."`
	Type      string           `json:"type,omitempty" doc:"The Go type of the error."`
	Cause     string           `json:"cause" doc:"The failure's message, with marks for ids, numbers and quoted text."`
	Example   string           `json:"example" doc:"The beginning of the latest message as it is."`
	Open      int              `json:"open" doc:"How many of its incidents need a person now."`
	Retrying  int              `json:"retrying,omitempty" doc:"How many are being retried."`
	Arrived   int              `json:"arrived" doc:"How often one was opened."`
	First     time.Time        `json:"first" doc:"When the first was opened."`
	Last      time.Time        `json:"last" doc:"When the latest was opened."`
	Spark     []int            `json:"spark" doc:"How many were opened in each half hour of the last day, the present one last."`
	Assignees map[string]int   `json:"assignees,omitempty" doc:"Who looks after how many."`
	Note      *incidents.Note  `json:"note,omitempty" doc:"The beginning of the latest note on one of them."`
	// Snooze is set while the group is snoozed; Snoozed counts incidents that are by themselves.
	Snooze  *desk.GroupSnooze `json:"snooze,omitempty" doc:"Until when it is hidden, by whom and why, while it is."`
	Snoozed int               `json:"snoozed,omitempty" doc:"How many of the open ones are snoozed by themselves."`
}

// IncidentGroupOf returns the body of a group.
func IncidentGroupOf(g *incidents.GroupRow, snoozed map[string]desk.GroupSnooze, now time.Time) IncidentGroup {
	out := IncidentGroup{ID: g.ID, Saga: g.Saga, Step: g.Step, Direction: g.Direction, Action: g.Action, Type: g.Type, Cause: g.Cause, Example: g.Example,
		Open: g.Open, Retrying: g.Retrying, Arrived: g.Arrived, First: g.First, Last: g.Last, Spark: g.Spark(now), Assignees: g.Assignees, Note: g.Note, Snoozed: g.Snoozed}
	if s, ok := snoozed[g.ID]; ok {
		out.Snooze = &s
	}
	return out
}

// IncidentAct is what a person does to incidents besides the levers.
type IncidentAct struct {
	Act     desk.Kind `json:"act" enum:"note,assign,snooze" doc:"What to do."`
	Targets []string  `json:"targets" minItems:"1" maxItems:"1000" doc:"Ids of groups, incidents or runs. Of a group or run the incidents that are open now are meant; a snooze of a group hides those that arrive, too."`
	Text    string    `json:"text,omitempty" maxLength:"16384" doc:"The note, or why."`
	To      string    `json:"to,omitempty" maxLength:"250" doc:"Who looks after them from now on; nobody when absent."`
	Until   time.Time `json:"until,omitzero" doc:"When the snooze ends, later than now and at most 366 days ahead; without it a snooze ends now."`
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
	// StuckMore and WaitingMore say how many more runs are stuck and wait than at the beginning.
	StuckMore   int64 `json:"stuck_more" doc:"The runs that became stuck, less those that are so no longer; over all time, those that are stuck now. Of an action, 0."`
	WaitingMore int64 `json:"waiting_more" doc:"The runs that began to wait (for a time, a signal, an event, the next attempt, or to be resumed), less those that go on; over all time, those that wait now. Of an action, 0."`
}

// Stat is a statistic with its latencies as numbers.
type Stat struct {
	Saga      string           `json:"saga"`
	Action    string           `json:"action,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Counts
	FailureRate float64 `json:"failure_rate" doc:"The share of failures among the outcomes, from 0 to 1. A run that was abandoned, or is stuck, has failed."`
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

// Stats is the answer to a query for statistics.
type Stats struct {
	Stats []Stat `json:"stats"`
	// Points are the same over time, where asked for.
	Points []StatPoint `json:"points,omitempty"`
}

// Suggestion is something that can be typed next in a search.
type Suggestion struct {
	Text string `json:"text" doc:"The whole text with it."`
	Part string `json:"part" doc:"Only the part that it completes."`
	Note string `json:"note,omitempty" doc:"What it selects."`
}

// RowsOf returns a page of bodies, each made of one row by the function.
func RowsOf[Row, Body any](p projections.Page[Row], body func(*Row) Body) Page[Body] {
	items := make([]Body, len(p.Rows))
	for i := range p.Rows {
		items[i] = body(&p.Rows[i])
	}
	return PageOf(items, p.Next, &p.As)
}
