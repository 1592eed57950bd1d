package incidents

import (
	"context"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Filter selects incidents; all of its conditions must hold. The zero value selects all, newest
// first.
type Filter struct {
	// Open and Resolved select the incidents that are; neither or both select all.
	Open, Resolved bool
	Run            domain.RunID
	// Sagas and Actions each select incidents that have one of the values.
	Sagas, Actions []string
	// From (inclusive) and To (exclusive) bound the time at which the incident was opened.
	From, To time.Time
	// Text has words, or beginnings of words, that all occur in the cause or the step's name. With
	// it, incidents come in the order of the log.
	Text string
	// Ascending has the oldest first.
	Ascending bool
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	projections.Fresh
}

// Page is a page of incidents.
type Page = projections.Page[Row]

var view = View()

// Find returns a page of incidents.
func Find(ctx context.Context, r *projections.Reader, f Filter) (Page, error) {
	return projections.Ask(ctx, r, &view, f.query(), decode)
}

func (f *Filter) query() projections.PageQuery {
	q := projections.PageQuery{Query: projections.Query{Table: "incidents", Desc: !f.Ascending, Order: []string{"opened", "no"}},
		Cursor: f.Cursor, Limit: f.Limit, Fresh: f.Fresh}
	where := func(c projections.Cond) { q.Where = append(q.Where, c) }
	switch {
	case f.Open && !f.Resolved:
		where(projections.Eq("open", 1))
	case f.Resolved && !f.Open:
		where(projections.NotNull("resolved"))
	}
	if f.Run != (domain.RunID{}) {
		where(projections.Eq("run", f.Run))
	}
	if len(f.Sagas) > 0 {
		where(projections.InTexts("saga", f.Sagas))
	}
	if len(f.Actions) > 0 {
		where(projections.InTexts("action", f.Actions))
	}
	if !f.From.IsZero() {
		where(projections.Ge("opened", f.From))
	}
	if !f.To.IsZero() {
		where(projections.Lt("opened", f.To))
	}
	if projections.Words(f.Text) != "" {
		where(projections.Match(f.Text))
		q.Order = []string{"no"}
	}
	return q
}
