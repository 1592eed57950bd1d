package wire

import (
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/rejected"
)

// RejectedEvent is a domain event that could not start its run.
type RejectedEvent struct {
	// ID is the id of the rejection: one event may be rejected for several sagas.
	ID       uuid.UUID       `json:"id" doc:"The id of the rejection."`
	Event    uuid.UUID       `json:"event" doc:"The event's own id."`
	Type     string          `json:"type" doc:"The event's type."`
	Stream   string          `json:"stream" doc:"The event's stream."`
	Revision uint64          `json:"revision" doc:"The event's number in its stream, from 0."`
	Position domain.Position `json:"position" doc:"The event's position in the log."`
	Saga     string          `json:"saga" doc:"The saga that it should have started."`
	Version  int             `json:"version" doc:"The version of the saga that the program had."`
	Error    string          `json:"error" doc:"Why it could not, without secrets."`
	At       time.Time       `json:"at" doc:"When it was rejected."`
	State    rejected.State  `json:"state" enum:"open,started,dismissed" doc:"Where it stands: open waits for a person, started was retried and has started its run, dismissed needs none."`
	Run      domain.RunID    `json:"run,omitzero" doc:"The run that it has started."`
	By       string          `json:"by,omitempty" doc:"Who retried or dismissed it."`
	Reason   string          `json:"reason,omitempty" doc:"Why."`
	Settled  time.Time       `json:"settled,omitzero" doc:"When."`
}

// RejectedEventOf returns the body of a rejected event.
func RejectedEventOf(e *rejected.Event) RejectedEvent {
	return RejectedEvent{ID: e.ID, Event: e.Event, Type: e.Type, Stream: e.Stream, Revision: e.Revision, Position: e.Position, Saga: e.Saga, Version: e.Version,
		Error: e.Error, At: e.At, State: e.State, Run: e.Run, By: e.By, Reason: e.Reason, Settled: e.Settled}
}

// RejectedEvents is a page of rejected events.
type RejectedEvents struct {
	Page[RejectedEvent]
	Matched int `json:"matched" doc:"How many there are on all pages."`
}

// RejectedEventsOf returns the body of a page of rejected events.
func RejectedEventsOf(p *rejected.Page) RejectedEvents {
	out := RejectedEvents{Page: Page[RejectedEvent]{Items: make([]RejectedEvent, len(p.Rows)), Next: p.Next}, Matched: p.Matched}
	for i := range p.Rows {
		out.Items[i] = RejectedEventOf(&p.Rows[i])
	}
	return out
}

// RejectedAct is what a person does about rejected events.
type RejectedAct struct {
	Act    rejected.Act `json:"act" enum:"retry,dismiss" doc:"What to do: retry has the trigger look at the events again, and starts the runs of those that it takes now; dismiss says that they need none."`
	IDs    []string     `json:"ids,omitempty" maxItems:"10000" doc:"These events, by the ids of the rejections or of the events; without them the open ones that match the conditions."`
	Sagas  []string     `json:"sagas,omitempty" maxItems:"100" doc:"Events that should have started one of these sagas."`
	Type   string       `json:"type,omitempty" maxLength:"250" doc:"Events of this type."`
	All    bool         `json:"all,omitempty" doc:"Must be set where there are neither ids nor conditions."`
	Reason string       `json:"reason,omitempty" maxLength:"2000" doc:"Why, for the audit. Only a dry run needs none."`
	DryRun bool         `json:"dry_run,omitempty" doc:"Only tell which events it would be done to."`
	Limit  int          `json:"limit,omitempty" minimum:"0" maximum:"10000" doc:"At most that many events in this call, oldest first; 1,000 when 0."`
}

// Request is the act as the list of rejected events takes it.
func (a *RejectedAct) Request() rejected.Request {
	return rejected.Request{Act: a.Act, IDs: a.IDs, Sagas: a.Sagas, Type: a.Type, All: a.All, Reason: a.Reason, DryRun: a.DryRun, Limit: a.Limit}
}

// RejectedResult is what became of one event.
type RejectedResult struct {
	RejectedEvent
	Done    bool   `json:"done" doc:"Whether the event is now as the act wants it, perhaps since an earlier act."`
	Refused string `json:"refused,omitempty" doc:"Why not."`
}

// RejectedReport is what an act on rejected events did.
type RejectedReport struct {
	DryRun  bool             `json:"dry_run,omitempty" doc:"Whether the events were only listed."`
	Matched int              `json:"matched" doc:"How many events match."`
	Done    int              `json:"done" doc:"How many it was done to."`
	Failed  int              `json:"failed" doc:"How many refused it."`
	More    bool             `json:"more,omitempty" doc:"Whether some were left out, by the limit or because the time was over."`
	Results []RejectedResult `json:"results" doc:"What became of each."`
}

// RejectedReportOf returns the body of a report.
func RejectedReportOf(r *rejected.Report) RejectedReport {
	out := RejectedReport{DryRun: r.DryRun, Matched: r.Matched, Done: r.Done, Failed: r.Failed, More: r.More, Results: make([]RejectedResult, len(r.Results))}
	for i := range r.Results {
		e := &r.Results[i]
		out.Results[i] = RejectedResult{RejectedEvent: RejectedEventOf(&e.Event), Done: e.Done, Refused: e.Refused}
	}
	return out
}
