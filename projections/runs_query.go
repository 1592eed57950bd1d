package projections

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// RunSort is what runs are sorted by.
type RunSort string

// The orders of runs.
const (
	ByStarted RunSort = "started" // all runs
	ByEnded   RunSort = "ended"   // the runs that have ended
	ByWake    RunSort = "wake"    // the runs that have a timer set
)

// RunFilter selects runs; all of its conditions must hold. The zero value selects every run, newest first.
type RunFilter struct {
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
	// Text has words (or beginnings of words) that all occur in the run's errors. With it
	// the order by start is that in which the log has the starts.
	Text string
	// Key is the caller's key, Parent the parent run.
	Key    string
	Parent domain.RunID
	// Sort is ByStarted when empty. Ascending turns the order round: oldest first.
	Sort      RunSort
	Ascending bool
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	Fresh
}

// RunPage is a page of runs.
type RunPage struct {
	Runs []*Run
	// Next is the cursor of the following page, empty on the last one. It stays good while
	// runs come and go, and over a rebuild.
	Next string
	// As tells which state of the view this is.
	As Generation
}

// Runs returns a page of runs.
func (r *Reader) Runs(ctx context.Context, f RunFilter) (RunPage, error) {
	q, err := f.query()
	if err != nil {
		return RunPage{}, err
	}
	page, next, err := r.page(ctx, &runsView, q, f.Fresh)
	if err != nil {
		return RunPage{}, err
	}
	out := RunPage{Next: next, As: page.As, Runs: make([]*Run, len(page.Rows))}
	for i, row := range page.Rows {
		if out.Runs[i], err = runOf(row); err != nil {
			return RunPage{}, err
		}
	}
	return out, nil
}

// Run returns one run, or [ErrNotFound].
func (r *Reader) Run(ctx context.Context, id domain.RunID, fresh Fresh) (*Run, error) {
	page, err := r.Rows(ctx, &runsView, Query{Table: "runs", Where: []Cond{Eq("run", id)}, Limit: 1}, fresh)
	if err != nil {
		return nil, err
	}
	if len(page.Rows) == 0 {
		return nil, fmt.Errorf("run %s: %w", id, ErrNotFound)
	}
	return runOf(page.Rows[0])
}

func (f *RunFilter) query() (pageQuery, error) {
	q := pageQuery{Query: Query{Table: "runs", Desc: !f.Ascending, Order: []string{"started", "no"}}, cursor: f.Cursor, limit: f.Limit}
	where := func(c Cond) { q.Where = append(q.Where, c) }
	switch f.Sort {
	case "", ByStarted:
	case ByEnded, ByWake:
		q.Order[0] = string(f.Sort)
		where(NotNull(string(f.Sort)))
	default:
		return q, fmt.Errorf("runs cannot be sorted by %q: use started, ended or wake", f.Sort)
	}
	if len(f.States) > 0 {
		where(anyOf("state", f.possible(), func(s domain.RunState) any { return string(s) }))
	}
	tagged := len(f.Labels) > 0 || f.Action != ""
	if len(f.Sagas) > 0 && !(tagged && len(f.Sagas) == 1) {
		where(anyOf("saga", f.Sagas, func(s string) any { return s }))
	}
	if len(f.Versions) > 0 {
		where(anyOf("version", f.Versions, func(v int) any { return int64(v) }))
	}
	tag := func(t string) {
		if len(f.Sagas) == 1 {
			t = sagaTag(f.Sagas[0], t)
		}
		where(Exists("tags", []string{"started", "no"}, Eq("tag", t)))
	}
	for _, name := range slices.Sorted(maps.Keys(f.Labels)) {
		tag(labelTag(name, f.Labels[name]))
	}
	if f.Action != "" {
		tag(actionTag(f.Action))
	}
	if !f.From.IsZero() {
		where(Ge("started", f.From))
	}
	if !f.To.IsZero() {
		where(Lt("started", f.To))
	}
	if Words(f.Text) != "" {
		where(Match(f.Text))
		if f.Sort == "" || f.Sort == ByStarted {
			q.Order = []string{"no"}
		}
	}
	if f.Key != "" {
		where(Eq("key", f.Key))
	}
	if f.Parent != (domain.RunID{}) {
		where(Eq("parent", f.Parent))
	}
	return q, nil
}

// possible leaves out the states in which a run has nothing to sort by: an unfinished run has no end, one that has ended
// no timer. Nobody shall look for these among all others.
func (f *RunFilter) possible() []domain.RunState {
	return slices.DeleteFunc(slices.Clone(f.States), func(s domain.RunState) bool {
		return f.Sort == ByEnded && !s.Ended() || f.Sort == ByWake && s.Ended()
	})
}

// anyOf holds where the column has one of the values.
func anyOf[T any](column string, values []T, of func(T) any) Cond {
	if len(values) == 1 {
		return Eq(column, of(values[0]))
	}
	c := Cond{Op: OpIn, Column: column}
	for _, v := range values {
		c.Values = append(c.Values, of(v))
	}
	return c
}
