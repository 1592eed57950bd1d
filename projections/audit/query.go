package audit

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Filter selects rows of the audit; all of its conditions must hold. The zero value selects
// everything, newest first.
type Filter struct {
	Run domain.RunID
	// Sagas, Whats, Actions and Actors each select rows that have one of the values.
	Sagas, Whats, Actions, Actors []string
	Step                          string
	// Events selects rows of runs that one of these domain events started or woke: where it did.
	Events []uuid.UUID
	// From (inclusive) and To (exclusive) bound the time of the event.
	From, To time.Time
	// Text has words, or beginnings of words, that all occur in the row's error or in the payload's
	// searchable fields. With it, rows are in log order.
	Text string
	// HasError selects the rows that have an error.
	HasError bool
	// ByLog sorts rows as the log has them, not by their times.
	ByLog bool
	// Ascending puts the oldest first. The rows of one run are always in the run's order.
	Ascending bool
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	projections.Fresh
}

// Page is a page of the audit.
type Page = projections.Page[Row]

var view = View()

// Find returns a page of the audit, across runs or of one run.
func Find(ctx context.Context, r *projections.Reader, f Filter) (Page, error) {
	return projections.Ask(ctx, r, &view, f.query(), decode)
}

func (f *Filter) query() projections.PageQuery {
	q := projections.PageQuery{Query: projections.Query{Table: "audit", Desc: !f.Ascending, Order: []string{"at", "n"}},
		Cursor: f.Cursor, Limit: f.Limit, Fresh: f.Fresh}
	where := func(c projections.Cond) { q.Where = append(q.Where, c) }
	if f.ByLog {
		q.Order = []string{"n"}
	}
	if f.HasError {
		where(projections.Eq("failed", 1))
	}
	if f.Run != (domain.RunID{}) {
		where(projections.Eq("run", f.Run))
		q.Order = []string{"n"}
	}
	q.Among("saga", f.Sagas)
	q.Among("what", f.Whats)
	q.Among("action", f.Actions)
	q.Among("actor", f.Actors)
	if len(f.Events) > 0 {
		ids := make([]string, len(f.Events))
		for i, id := range f.Events {
			ids[i] = id.String()
		}
		q.Among("event", ids)
	}
	if f.Step != "" {
		where(projections.Eq("step", f.Step))
	}
	q.Between("at", f.From, f.To)
	if q.About(f.Text) {
		q.Order = []string{"n"}
	}
	return q
}
