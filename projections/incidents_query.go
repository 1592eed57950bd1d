package projections

import (
	"context"
	"time"

	"github.com/atonehq/atone/domain"
)

// Incident is a row of the incidents view.
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
	// Resolved is zero while the incident is open.
	Resolved time.Time `json:"resolved,omitzero"`
	// By is who ended it, How one of the Incident constants or a [domain.Resolution], Reason why.
	By     string `json:"by,omitempty"`
	How    string `json:"how,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Age is how long the incident has been open by now, or was.
func (i *Incident) Age(now time.Time) time.Duration {
	if i.Resolved.IsZero() {
		return now.Sub(i.Opened)
	}
	return i.Resolved.Sub(i.Opened)
}

// IncidentFilter selects incidents; all of its conditions must hold. The zero value selects all, newest first.
type IncidentFilter struct {
	// Open and Resolved select the incidents that are; neither or both select all.
	Open, Resolved bool
	Run            domain.RunID
	// Sagas and Actions each select incidents that have one of the values.
	Sagas, Actions []string
	// From (inclusive) and To (exclusive) bound the time at which the incident was opened.
	From, To time.Time
	// Text has words (or beginnings of words) that all occur in the cause or the step's name. With it the order is that of the log.
	Text string
	// Ascending turns the order round: oldest first.
	Ascending bool
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	Fresh
}

// IncidentPage is a page of incidents.
type IncidentPage struct {
	Incidents []Incident
	// Next is the cursor of the following page, empty on the last one.
	Next string
	As   Generation
}

// Incidents returns a page of incidents.
func (r *Reader) Incidents(ctx context.Context, f IncidentFilter) (IncidentPage, error) {
	page, next, err := r.page(ctx, &incidentsView, f.query(), f.Fresh)
	if err != nil {
		return IncidentPage{}, err
	}
	out := IncidentPage{Next: next, As: page.As, Incidents: make([]Incident, len(page.Rows))}
	for i, row := range page.Rows {
		out.Incidents[i] = incidentOf(row)
	}
	return out, nil
}

func incidentOf(row Row) Incident {
	return Incident{
		No: domain.Position(number(row[0])), ID: text(row[1]), Run: runID(row[2]), Saga: text(row[3]), Step: text(row[4]),
		Direction: domain.Direction(text(row[5])), Action: text(row[6]), Attempts: int(number(row[7])), Kind: domain.FailureKind(text(row[8])),
		Cause: text(row[9]), Opened: instant(row[10]), Resolved: instant(row[incidentResolved]),
		By: text(row[incidentBy]), How: text(row[incidentHow]), Reason: text(row[incidentReason]),
	}
}

func (f *IncidentFilter) query() pageQuery {
	q := pageQuery{Query: Query{Table: "incidents", Desc: !f.Ascending, Order: []string{"opened", "no"}}, cursor: f.Cursor, limit: f.Limit}
	where := func(c Cond) { q.Where = append(q.Where, c) }
	switch {
	case f.Open && !f.Resolved:
		where(Eq("open", 1))
	case f.Resolved && !f.Open:
		where(NotNull("resolved"))
	}
	if f.Run != (domain.RunID{}) {
		where(Eq("run", f.Run))
	}
	if len(f.Sagas) > 0 {
		where(anyOf("saga", f.Sagas, func(s string) any { return s }))
	}
	if len(f.Actions) > 0 {
		where(anyOf("action", f.Actions, func(s string) any { return s }))
	}
	if !f.From.IsZero() {
		where(Ge("opened", f.From))
	}
	if !f.To.IsZero() {
		where(Lt("opened", f.To))
	}
	if Words(f.Text) != "" {
		where(Match(f.Text))
		q.Order = []string{"no"}
	}
	return q
}
