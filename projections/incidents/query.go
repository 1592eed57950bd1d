package incidents

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga/desk"
)

// Filter selects incidents; all of its conditions must hold. The zero value selects all, newest
// first.
type Filter struct {
	// Open, Retrying and Resolved select incidents in one of these states; none of them selects
	// all.
	Open, Retrying, Resolved bool
	// ID selects one incident, Run those of a run.
	ID  string
	Run domain.RunID
	// Groups and Assignees each select incidents that have one of the values.
	Groups, Assignees []string
	// Awake leaves out incidents that are snoozed beyond that time; the zero time leaves out none.
	Awake time.Time
	// Asleep selects incidents that are snoozed by themselves beyond that time.
	Asleep time.Time
	// Snoozed selects, besides those in the states above, all that are not resolved and snoozed
	// now. Which these are, [Filter.Doze] says.
	Snoozed bool
	// SnoozedGroups are the groups that are snoozed now; see [Filter.Doze].
	SnoozedGroups []string
	// Sagas and Actions each select incidents that have one of the values.
	Sagas, Actions []string
	// From (inclusive) and To (exclusive) bound the time at which the incident was opened.
	From, To time.Time
	// Text has words, or beginnings of words, that all occur in the cause or the step's name. With
	// it, incidents are in log order.
	Text string
	// Ascending puts the oldest first.
	Ascending bool
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	projections.Fresh
}

// Grouped returns the filter of groups with the same conditions. ok is false if the filter has a
// condition that only single incidents can meet.
func (f *Filter) Grouped() (g GroupFilter, ok bool) {
	ok = f.Open && !f.Retrying && !f.Resolved && !f.Snoozed && f.ID == "" && f.Run == (domain.RunID{}) && len(f.Groups)+len(f.Assignees)+len(f.Actions) == 0 &&
		f.From.IsZero() && f.To.IsZero()
	return GroupFilter{Sagas: f.Sagas, Text: f.Text, Limit: f.Limit, Cursor: f.Cursor, Fresh: f.Fresh}, ok
}

// HasState reports whether the filter asks for a state.
func (f *Filter) HasState() bool { return f.Open || f.Retrying || f.Resolved || f.Snoozed }

// Doze tells a filter with Snoozed what is snoozed now: incidents by themselves beyond that time,
// and these groups.
func (f *Filter) Doze(now time.Time, groups map[string]desk.GroupSnooze) {
	if f.Snoozed {
		f.Asleep, f.SnoozedGroups = now, slices.Sorted(maps.Keys(groups))
	}
}

// Page is a page of incidents.
type Page = projections.Page[Row]

var view = View()

// Find returns a page of incidents.
func Find(ctx context.Context, r *projections.Reader, f Filter) (Page, error) {
	return projections.Ask(ctx, r, &view, f.query(), decode)
}

func (f *Filter) query() projections.PageQuery {
	q := projections.PageQuery{Query: projections.Query{Table: "incidents", Desc: !f.Ascending, Order: []string{"opened", "n"}},
		Cursor: f.Cursor, Limit: f.Limit, Fresh: f.Fresh}
	where := func(c projections.Cond) { q.Where = append(q.Where, c) }
	var states []State
	for _, s := range []struct {
		wanted bool
		state  State
	}{{f.Open, Open}, {f.Retrying, Retrying}, {f.Resolved, Resolved}} {
		if s.wanted {
			states = append(states, s.state)
		}
	}
	if f.Snoozed {
		// (live or in a state) and (snoozed or in a state): in a state, or live and snoozed
		where(projections.AnyOf(projections.InTexts("state", states), projections.InTexts("grp", f.SnoozedGroups), projections.Gt("snoozed", f.Asleep)))
		states = append(states, Open, Retrying)
	} else if !f.Asleep.IsZero() {
		where(projections.Gt("snoozed", f.Asleep))
	}
	if len(states) > 0 {
		where(projections.InTexts("state", states))
	}
	if f.ID != "" {
		where(projections.Eq("incident", f.ID))
	}
	if len(f.Groups) > 0 {
		where(projections.InTexts("grp", f.Groups))
	}
	if len(f.Assignees) > 0 {
		where(projections.InTexts("assignee", f.Assignees))
	}
	if !f.Awake.IsZero() {
		where(projections.Le("snoozed", f.Awake))
	}
	if f.Run != (domain.RunID{}) {
		where(projections.Eq("run", f.Run))
	}
	q.Among("saga", f.Sagas)
	q.Among("action", f.Actions)
	q.Between("opened", f.From, f.To)
	if q.About(f.Text) {
		q.Order = []string{"n"}
	}
	return q
}
