package runs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Sort is what runs are sorted by.
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
	// States, Sagas and Versions each select runs that have one of the values.
	States   []domain.RunState
	Sagas    []string
	Versions []int
	// Labels must all be there with these values.
	Labels map[string]string
	// From (inclusive) and To (exclusive) bound the time of the start.
	From, To time.Time
	// Action is one that the run tried.
	Action string
	// Text has words, or beginnings of words, that all occur in the run's errors. With it, runs
	// sorted by their start come in the order in which the log has the starts.
	Text string
	// Key is the caller's key, Parent the parent run.
	Key    string
	Parent domain.RunID
	// Sort is ByStarted when empty. Ascending has the oldest first.
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

func (f *Filter) query() (projections.PageQuery, error) {
	q := projections.PageQuery{Query: projections.Query{Table: "runs", Desc: !f.Ascending, Order: []string{"started", "no"}},
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
	if len(f.States) > 0 {
		where(projections.InTexts("state", f.possible()))
	}
	tagged := len(f.Labels) > 0 || f.Action != ""
	if len(f.Sagas) > 0 && !(tagged && len(f.Sagas) == 1) {
		where(projections.InTexts("saga", f.Sagas))
	}
	if len(f.Versions) > 0 {
		versions := make([]any, len(f.Versions))
		for i, v := range f.Versions {
			versions[i] = int64(v)
		}
		where(projections.In("version", versions...))
	}
	tag := func(t string) {
		if len(f.Sagas) == 1 {
			t = sagaTag(f.Sagas[0], t)
		}
		where(projections.Exists("tags", []string{"started", "no"}, projections.Eq("tag", t)))
	}
	for _, name := range slices.Sorted(maps.Keys(f.Labels)) {
		tag(labelTag(name, f.Labels[name]))
	}
	if f.Action != "" {
		tag(actionTag(f.Action))
	}
	if !f.From.IsZero() {
		where(projections.Ge("started", f.From))
	}
	if !f.To.IsZero() {
		where(projections.Lt("started", f.To))
	}
	if projections.Words(f.Text) != "" {
		where(projections.Match(f.Text))
		if f.Sort == "" || f.Sort == ByStarted {
			q.Order = []string{"no"}
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

// possible leaves out the states in which a run has nothing to sort by: an unfinished run has no
// end, an ended one no timer. Looking for these would read all others for nothing.
func (f *Filter) possible() []domain.RunState {
	return slices.DeleteFunc(slices.Clone(f.States), func(s domain.RunState) bool {
		return f.Sort == ByEnded && !s.Ended() || f.Sort == ByWake && s.Ended()
	})
}
