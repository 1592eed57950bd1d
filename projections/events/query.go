package events

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga/look"
)

// Filter selects domain events; all of its conditions must hold. The zero value selects all, newest
// first. The order is always that of the log.
type Filter struct {
	// Types selects events of one of these types, TypeBegins of types that begin so.
	Types      []string
	TypeBegins string
	// Stream selects the events of one stream, StreamBegins of the streams whose names begin so.
	Stream, StreamBegins string
	// Called selects the events of the stream of that name or, where it has none, of the streams
	// whose names begin so.
	Called string
	// Sagas selects events that runs of one of these sagas emitted.
	Sagas []string
	// Correlation selects events with that correlation id.
	Correlation string
	// From (inclusive) and To (exclusive) bound the time of the event.
	From, To time.Time
	// Before and After are log positions, of which the events are on that side; 0 for none.
	Before, After domain.Position
	// Ascending puts the oldest first.
	Ascending bool
	// Limit bounds the page; 50 when 0, at most 1000.
	Limit int
	projections.Fresh
}

// Page is a page of domain events. Next is the log position of its last one: Before of the
// following page or, ascending, After.
type Page = projections.Page[Row]

var view = View()

// Find returns a page of domain events.
func Find(ctx context.Context, r *projections.Reader, f Filter) (Page, error) {
	if f.Called != "" {
		one := Filter{Stream: f.Called, Limit: 1, Fresh: f.Fresh}
		found, err := projections.Ask(ctx, r, &view, one.query(), decode)
		if err != nil {
			return found, err
		}
		if f.Stream = f.Called; len(found.Rows) == 0 {
			f.Stream, f.StreamBegins = "", f.Called
		}
	}
	page, err := projections.Ask(ctx, r, &view, f.query(), decode)
	if page.Next != "" {
		page.Next = strconv.FormatUint(uint64(page.Rows[len(page.Rows)-1].Position), 10)
	}
	return page, err
}

// Accepts reports whether an event is a domain event of the filter's types, stream, correlation and
// time: what is told of an event as it comes.
func (f *Filter) Accepts(e *domain.Recorded) bool {
	if !look.IsOfAnApp(e) || len(f.Types) > 0 && !slices.Contains(f.Types, e.Type) || !strings.HasPrefix(e.Type, f.TypeBegins) ||
		f.Stream != "" && f.Stream != e.Stream || !strings.HasPrefix(e.Stream, f.StreamBegins) {
		return false
	}
	at, correlation := told(e)
	return (f.Correlation == "" || f.Correlation == correlation) && !at.Before(f.From) && (f.To.IsZero() || at.Before(f.To))
}

func (f *Filter) query() projections.PageQuery {
	q := projections.PageQuery{Query: projections.Query{Table: "events", Desc: !f.Ascending, Order: []string{"n"}}, Limit: f.Limit, Fresh: f.Fresh}
	where := func(c ...projections.Cond) { q.Where = append(q.Where, c...) }
	q.Among("type", f.Types)
	q.Among("saga", f.Sagas)
	if f.TypeBegins != "" {
		where(projections.Begins("type", f.TypeBegins))
	}
	switch {
	case f.Stream == "":
	case !isText(f.Stream):
		where(projections.Eq("name", []byte(f.Stream)))
	default:
		where(projections.Eq("stream", f.Stream))
		if strings.ContainsRune(f.Stream, utf8.RuneError) { // others are stored like it
			where(projections.Null("name"))
		}
	}
	if f.StreamBegins != "" {
		where(projections.BeginsBy("stream1", "stream2", "stream", f.StreamBegins)...)
	}
	if f.Correlation != "" {
		where(projections.Eq("correlation", f.Correlation))
	}
	q.Between("at", f.From, f.To)
	if f.Before.Possible() {
		where(projections.Lt("pos", int64(f.Before)))
	}
	if f.After > 0 {
		where(projections.Gt("pos", int64(min(f.After, 1<<63-1))))
	}
	return q
}
