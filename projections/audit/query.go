package audit

import (
	"context"
	"time"

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
	// From (inclusive) and To (exclusive) bound the time.
	From, To time.Time
	// Text has words, or beginnings of words, that all occur in the row's error or in the payload's
	// searchable fields. With it, rows come in the order of the log.
	Text string
	// HasError selects the rows that have an error.
	HasError bool
	// Ascending has the oldest first. The rows of one run are in its own order.
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

// Find returns a page of the audit, across runs or of one.
func Find(ctx context.Context, r *projections.Reader, f Filter) (Page, error) {
	return projections.Ask(ctx, r, &view, f.query(), decode)
}

func (f *Filter) query() projections.PageQuery {
	q := projections.PageQuery{Query: projections.Query{Table: "audit", Desc: !f.Ascending, Order: []string{"at", "pos"}},
		Cursor: f.Cursor, Limit: f.Limit, Fresh: f.Fresh}
	at := "at"
	if f.HasError { // these rows have an index of their own, in the same order
		at = "failed"
		q.Where = append(q.Where, projections.NotNull(at))
		q.Order[0] = at
	}
	where := func(c projections.Cond) { q.Where = append(q.Where, c) }
	if f.Run != (domain.RunID{}) {
		where(projections.Eq("run", f.Run))
		q.Order = []string{"pos"}
	}
	for _, in := range []struct {
		column string
		values []string
	}{{"saga", f.Sagas}, {"what", f.Whats}, {"action", f.Actions}, {"actor", f.Actors}} {
		if len(in.values) > 0 {
			where(projections.InTexts(in.column, in.values))
		}
	}
	if f.Step != "" {
		where(projections.Eq("step", f.Step))
	}
	if !f.From.IsZero() {
		where(projections.Ge(at, f.From))
	}
	if !f.To.IsZero() {
		where(projections.Lt(at, f.To))
	}
	if projections.Words(f.Text) != "" {
		where(projections.Match(f.Text))
		q.Order = []string{"pos"}
	}
	return q
}
