package incidents

import (
	"context"
	"time"

	"github.com/atonehq/atone/projections"
)

// Sort is an order of groups.
type Sort string

// The orders, each with the largest or latest first.
const (
	ByCount Sort = "count" // how many incidents are not resolved
	ByLast  Sort = "last"  // when the latest incident was opened
	ByFirst Sort = "first" // when the first was
)

// GroupFilter selects groups; all of its conditions must hold. The zero value selects those with
// incidents that are not resolved, the largest first.
type GroupFilter struct {
	// ID selects one group, whether it has such incidents or not.
	ID string
	// All selects also groups whose incidents are all resolved.
	All bool
	// Sagas selects groups of one of the sagas.
	Sagas []string
	// Text has words, or beginnings of words, that all occur in the cause, the latest example or
	// the step's name. With it, groups are in the order of their first arrivals.
	Text string
	Sort Sort
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	// Now is the time by which incidents count as snoozed.
	Now time.Time
	projections.Fresh
}

// GroupPage is a page of groups.
type GroupPage = projections.Page[GroupRow]

// maxSnoozed bounds the snoozed incidents that are counted for a page of groups.
const maxSnoozed = 1000

// Groups returns a page of groups.
func Groups(ctx context.Context, r *projections.Reader, f GroupFilter) (GroupPage, error) {
	page, err := projections.Ask(ctx, r, &view, f.query(), decodeGroup)
	if err != nil || len(page.Rows) == 0 {
		return page, err
	}
	snoozed, err := projections.Ask(ctx, r, &view, projections.PageQuery{Query: projections.Query{Table: "incidents",
		Where: []projections.Cond{projections.Eq("state", string(Open)), projections.Gt("snoozed", f.Now)}, Order: []string{"n"}}, Limit: maxSnoozed}, decode)
	if err != nil {
		return page, err
	}
	count := make(map[string]int)
	for i := range snoozed.Rows {
		count[snoozed.Rows[i].Group]++
	}
	for i := range page.Rows {
		page.Rows[i].Snoozed = count[page.Rows[i].ID]
	}
	return page, nil
}

func (f *GroupFilter) query() projections.PageQuery {
	q := projections.PageQuery{Query: projections.Query{Table: "groups", Desc: true, Order: []string{"open", "g"}}, Cursor: f.Cursor, Limit: f.Limit, Fresh: f.Fresh}
	where := func(c projections.Cond) { q.Where = append(q.Where, c) }
	switch {
	case f.ID != "":
		where(projections.Eq("id", f.ID))
	case !f.All:
		where(projections.Eq("live", 1))
	}
	if len(f.Sagas) > 0 {
		where(projections.InTexts("saga", f.Sagas))
	}
	switch f.Sort {
	case ByLast, ByFirst:
		q.Order[0] = string(f.Sort)
	}
	if projections.Words(f.Text) != "" {
		where(projections.Match(f.Text))
		q.Order = []string{"g"}
	}
	return q
}
