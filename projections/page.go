package projections

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// The sizes of a page.
const (
	defaultPage = 50
	largestPage = 1000
)

// Page is one page of a query's rows.
type Page[R any] struct {
	Rows []R
	// Next is the cursor of the following page, empty on the last one. It stays valid while rows
	// change, and after a rebuild.
	Next string
	// As is the view's state when it returned the rows.
	As Generation
}

// PageQuery asks for one page. All columns of the order are Int.
type PageQuery struct {
	Query
	// Cursor continues after an earlier page; it is that page's Next.
	Cursor string
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	Fresh
}

// cursor is the content of a page's Next: the order, and the last row's values in the order's
// columns.
type cursor struct {
	Order  []string `json:"o"`
	Desc   bool     `json:"d,omitempty"`
	Values []int64  `json:"v"`
}

// Ask returns one page of a view's rows, each decoded by the function.
func Ask[R any](ctx context.Context, r *Reader, v *View, q PageQuery, read func(Row) (R, error)) (Page[R], error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, largestPage)
	if q.Cursor != "" {
		after, err := q.after()
		if err != nil {
			return Page[R]{}, err
		}
		q.After = after
	}
	q.Query.Limit = limit + 1 // one more row tells whether there is another page
	found, err := r.Rows(ctx, v, q.Query, q.Fresh)
	if err != nil {
		return Page[R]{}, err
	}
	page := Page[R]{As: found.As}
	if len(found.Rows) > limit {
		found.Rows = found.Rows[:limit]
		if page.Next, err = q.next(v, found.Rows[limit-1]); err != nil {
			return Page[R]{}, err
		}
	}
	page.Rows = make([]R, len(found.Rows))
	for i, row := range found.Rows {
		if page.Rows[i], err = read(row); err != nil {
			return Page[R]{}, err
		}
	}
	return page, nil
}

// next returns the cursor of the page after the one that ends with the row.
func (q *PageQuery) next(v *View, last Row) (string, error) {
	c := cursor{Order: q.Order, Desc: q.Desc}
	t := v.Table(q.Table)
	for _, o := range q.Order {
		c.Values = append(c.Values, last.Int(t.Column(o)))
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("write a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// after returns the values after which the cursor continues.
func (q *PageQuery) after() ([]any, error) {
	b, err := base64.RawURLEncoding.DecodeString(q.Cursor)
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
