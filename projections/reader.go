package projections

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// The definitions that this package's queries go by.
var (
	runsView      = Runs()
	auditView     = Audit()
	incidentsView = Incidents()
	statsView     = Stats()
)

// All returns this package's views: runs, audit, incidents and stats.
func All() []View { return []View{Runs(), Audit(), Incidents(), Stats()} }

// Reader asks views. It is safe for concurrent use.
type Reader struct {
	store  Store
	runner *Runner
}

// NewReader returns a reader of the store, whoever projects into it.
func NewReader(store Store) *Reader { return &Reader{store: store} }

// Reader returns a reader of the runner's store whose waits for a position hurry the runner.
func (r *Runner) Reader() *Reader { return &Reader{store: r.cfg.Store, runner: r} }

// Fresh asks for rows that have caught up with a write. The zero value takes what is there.
type Fresh struct {
	// AtLeast is the position that the rows must have reached, as an append to a run's stream returned it.
	AtLeast domain.Position
	// Wait bounds the wait for it; 2 s when 0. Then the query fails with [ErrBehind].
	Wait time.Duration
}

// Errors of queries, to be tested with errors.Is.
var (
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrBadCursor means that a cursor was not made by this query's order.
	ErrBadCursor = errors.New("the cursor does not belong to this query: begin with the first page")
)

// Rows queries a table of any view.
func (r *Reader) Rows(ctx context.Context, v *View, q Query, fresh Fresh) (Page, error) {
	if fresh.AtLeast == 0 {
		return r.store.Select(ctx, v, q)
	}
	wait := fresh.Wait
	if wait == 0 {
		wait = 2 * time.Second
	}
	var k *keeper
	if r.runner != nil {
		k, _ = r.runner.keeper(v.Name) // a view that this process doesn't run is waited for all the same
	}
	for deadline := time.Now().Add(wait); ; {
		if err := atLeast(ctx, r.store, v.Name, fresh.AtLeast, time.Until(deadline), k); err != nil {
			return Page{}, err
		}
		page, err := r.store.Select(ctx, v, q)
		if err != nil || !page.As.Old && page.As.Position >= fresh.AtLeast {
			return page, err
		}
		// The live rows are there but have another shape than the view has now; those being built answer.
		if time.Until(deadline) < poll {
			return Page{}, fmt.Errorf("%s is being rebuilt and stands at position %d, not yet at %d, after %v: %w", v.Name, page.As.Position, fresh.AtLeast, wait, ErrBehind)
		}
		if err := pause(ctx, nil, poll); err != nil {
			return Page{}, err
		}
	}
}

// The sizes of a page.
const (
	defaultPage = 50
	largestPage = 1000
)

// pageQuery is a query for one page.
type pageQuery struct {
	Query
	cursor string
	limit  int
}

// cursor is what a page's Next holds: the order, and the values in it of the page's last row.
type cursor struct {
	Order  []string `json:"o"`
	Desc   bool     `json:"d,omitempty"`
	Values []int64  `json:"v"`
}

// page runs the query and returns the cursor of the following page. All columns of the order are Int.
func (r *Reader) page(ctx context.Context, v *View, q pageQuery, fresh Fresh) (Page, string, error) {
	limit := q.limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, largestPage)
	if q.cursor != "" {
		after, err := q.decode()
		if err != nil {
			return Page{}, "", err
		}
		q.After = after
	}
	q.Limit = limit + 1
	page, err := r.Rows(ctx, v, q.Query, fresh)
	if err != nil || len(page.Rows) <= limit {
		return page, "", err
	}
	page.Rows = page.Rows[:limit]
	c := cursor{Order: q.Order, Desc: q.Desc}
	t := v.Table(q.Table)
	for _, o := range q.Order {
		n, _ := page.Rows[limit-1][t.Column(o)].(int64)
		c.Values = append(c.Values, n)
	}
	b, err := json.Marshal(c)
	if err != nil {
		return Page{}, "", fmt.Errorf("write a cursor: %w", err)
	}
	return page, base64.RawURLEncoding.EncodeToString(b), nil
}

func (q *pageQuery) decode() ([]any, error) {
	b, err := base64.RawURLEncoding.DecodeString(q.cursor)
	if err != nil {
		return nil, ErrBadCursor
	}
	var c cursor
	if json.Unmarshal(b, &c) != nil || c.Desc != q.Desc || len(c.Values) != len(q.Order) || len(c.Order) != len(q.Order) {
		return nil, ErrBadCursor
	}
	after := make([]any, len(c.Values))
	for i, v := range c.Values {
		if c.Order[i] != q.Order[i] {
			return nil, ErrBadCursor
		}
		after[i] = v
	}
	return after, nil
}
