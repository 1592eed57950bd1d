package runs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Sort is the order of runs.
type Sort string

// The orders of runs.
const (
	ByStarted Sort = "started" // all runs
	ByEnded   Sort = "ended"   // the runs that have ended
	ByWake    Sort = "wake"    // the runs that have a timer set
)

// Filter selects runs; all of its conditions must hold. The zero value selects every run, newest
// first.
type Filter struct {
	// States, Sagas, Versions and Actions each select runs that have one of the values. A run has
	// the states of [Row.States] and the actions that it has tried.
	States   []domain.RunState
	Sagas    []string
	Versions []int
	Actions  []string
	// Labels selects runs that have all of these labels with these values.
	Labels map[string]string
	// From (inclusive) and To (exclusive) bound the start of the run.
	From, To time.Time
	// EndedFrom (inclusive) and EndedTo (exclusive) bound its end; a run that goes on has none.
	EndedFrom, EndedTo time.Time
	// MinAttempts and MaxAttempts bound the attempts of the run, both inclusive; MaxAttempts is nil
	// for no bound.
	MinAttempts int
	MaxAttempts *int
	// IDs selects these runs only; nil selects any.
	IDs []domain.RunID
	// Matches are further conditions, all of which must hold.
	Matches []Match
	// Text has words, or beginnings of words, that all occur in the run's errors. With it,
	// ByStarted sorts runs by the positions of their first events, not by the clock.
	Text string
	// Key is the caller's key, Parent the parent run.
	Key    string
	Parent domain.RunID
	// Sort is ByStarted when empty. Ascending puts the oldest first.
	Sort      Sort
	Ascending bool
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	projections.Fresh
}

// Page is a page of runs.
type Page = projections.Page[Row]

var view = View()

// Find returns a page of runs.
func Find(ctx context.Context, r *projections.Reader, f Filter) (Page, error) {
	q, err := f.query()
	if err != nil {
		return Page{}, err
	}
	return projections.Ask(ctx, r, &view, q, decode)
}

// Get returns one run, or [projections.ErrNotFound].
func Get(ctx context.Context, r *projections.Reader, id domain.RunID, fresh projections.Fresh) (*Row, error) {
	found, err := r.Rows(ctx, &view, projections.Query{Table: "runs", Where: []projections.Cond{projections.Eq("run", id)}, Limit: 1}, fresh)
	if err != nil {
		return nil, err
	}
	if len(found.Rows) == 0 {
		return nil, fmt.Errorf("run %s: %w", id, projections.ErrNotFound)
	}
	row, err := decode(found.Rows[0])
	return &row, err
}

// Count counts, by state, the runs that the filter selects with any states: its States count for
// nothing, nor do its order and page. It fails with [projections.ErrNotCounted] where that would
// take long.
func Count(ctx context.Context, r *projections.Reader, f Filter) (map[domain.RunState]int, error) {
	f.States, f.Sort = nil, ""
	q, err := f.query()
	if err != nil {
		return nil, err
	}
	values, err := r.Values(ctx, &view, projections.ValuesQuery{Table: "runs", Column: "state", Count: true, Where: q.Where})
	if err != nil {
		return nil, err
	}
	counts := make(map[domain.RunState]int, len(values))
	for _, v := range values {
		counts[domain.RunState(v.Text)] = v.Rows
	}
	return counts, nil
}

// Of is what [Names] lists.
type Of string

// What [Names] lists.
const (
	Sagas   Of = "saga"
	Actions Of = "action"
	Labels  Of = "label" // the names of labels
	Fields  Of = "field" // the names of searchable fields, in lower case
	Actors  Of = "actor"
	// LabelValues are those of the label that the prefix names, as NAME=PREFIX.
	LabelValues Of = "label value"
	// Ends are runs, as ID SAGA KEY, whose ids end with the prefix: 6 digits or more. Some more
	// than one are listed.
	Ends Of = "end of an id"
)

// Names lists what the runs in the view have: at most 1,000 names that begin with the prefix, in
// the order of their bytes.
func Names(ctx context.Context, r *projections.Reader, of Of, prefix string) ([]string, error) {
	q := projections.ValuesQuery{Table: "runs", Column: "tags"}
	switch of {
	case Sagas:
		q.Column = "saga"
	case Actions:
		q.Begins = actionTag("")
	case Actors:
		q.Begins = actorTag("")
	case LabelValues:
		name, begun, _ := strings.Cut(prefix, "=")
		q.Begins, prefix = labelTag(name, ""), begun
	case Ends:
		return endingSo(ctx, r, prefix)
	case Labels, Fields:
		return tagNames(ctx, r, string(of[0]), prefix)
	default:
		return nil, fmt.Errorf("there is no list of %q", of)
	}
	skip := len(q.Begins)
	q.Begins += prefix
	values, err := r.Values(ctx, &view, q)
	names := make([]string, 0, len(values))
	for _, v := range values {
		if v.Text != "" { // the saga of runs whose beginning can't be read
			names = append(names, v.Text[skip:])
		}
	}
	return names, err
}

// endingSo lists runs whose ids end with the digits.
func endingSo(ctx context.Context, r *projections.Reader, digits string) ([]string, error) {
	page, err := Find(ctx, r, Filter{Matches: []Match{{On: OnID, Value: digits}}, Limit: listedNames + 1})
	var list []string
	for i := range page.Rows {
		row := &page.Rows[i]
		list = append(list, row.ID.String()+" "+row.Saga+" "+row.Key)
	}
	return list, err
}

// tagNames lists the names in tags of a kind, see named.
func tagNames(ctx context.Context, r *projections.Reader, kind, prefix string) ([]string, error) {
	values, err := r.Values(ctx, &view, projections.ValuesQuery{Table: "runs", Column: "tags", Begins: kind, Until: "="})
	var names []string
	for _, v := range values {
		if _, name, ok := strings.Cut(v.Text, ":"); ok && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

// tagsOf returns the tag of each value.
func tagsOf[T any](tag func(T) string, values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = tag(v)
	}
	return out
}

func (f *Filter) query() (projections.PageQuery, error) {
	q := projections.PageQuery{Query: projections.Query{Table: "runs", Desc: !f.Ascending, Order: []string{"started", "n"}},
		Cursor: f.Cursor, Limit: f.Limit, Fresh: f.Fresh}
	where := func(c projections.Cond) { q.Where = append(q.Where, c) }
	switch f.Sort {
	case "", ByStarted:
	case ByEnded, ByWake:
		q.Order[0] = string(f.Sort)
		where(projections.NotNull(string(f.Sort)))
	default:
		return q, fmt.Errorf("runs cannot be sorted by %q: use started, ended or wake", f.Sort)
	}
	if len(f.IDs) > 0 {
		ids := make([]any, len(f.IDs))
		for i, id := range f.IDs {
			ids[i] = id
		}
		where(projections.In("run", ids...))
	}
	if len(f.States) > 0 {
		where(projections.Has("state", tagsOf(func(s domain.RunState) string { return string(s) }, f.States)...))
	}
	q.Among("saga", f.Sagas)
	if len(f.Versions) > 0 {
		versions := make([]any, len(f.Versions))
		for i, v := range f.Versions {
			versions[i] = int64(v)
		}
		where(projections.In("version", versions...))
	}
	for _, name := range slices.Sorted(maps.Keys(f.Labels)) {
		where(projections.Has("tags", labelTag(name, f.Labels[name])))
	}
	if len(f.Actions) > 0 {
		where(projections.Has("tags", tagsOf(actionTag, f.Actions)...))
	}
	if f.MinAttempts > 0 {
		where(projections.Ge("attempts", f.MinAttempts))
	}
	if f.MaxAttempts != nil {
		where(projections.Le("attempts", *f.MaxAttempts))
	}
	for i := range f.Matches {
		conds, err := f.Matches[i].conditions()
		if err != nil {
			return q, err
		}
		q.Where = append(q.Where, conds...)
	}
	q.Between("started", f.From, f.To)
	q.Between("ended", f.EndedFrom, f.EndedTo)
	if q.About(f.Text) {
		if f.Sort == "" || f.Sort == ByStarted {
			q.Order = []string{"n"}
		}
	}
	if f.Key != "" {
		where(projections.Eq("key", f.Key))
	}
	if f.Parent != (domain.RunID{}) {
		where(projections.Eq("parent", f.Parent))
	}
	return q, nil
}
