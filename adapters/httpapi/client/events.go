package client

import (
	"context"
	"net/url"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

// Emit appends a domain event. With an id the call may be repeated safely.
func (c *Client) Emit(ctx context.Context, e wire.Emit) (saga.Emitted, error) {
	return post[saga.Emitted](ctx, c, "/events", e, e.ID != "")
}

// DomainEventsQuery selects domain events.
type DomainEventsQuery struct {
	// Before and After select events on that side of a log position; 0 means all. An earlier page's
	// Next is one.
	Before, After domain.Position
	Types         []string
	// TypeBegins selects types that begin with it.
	TypeBegins string
	// Stream selects streams whose names begin with it, StreamName one stream.
	Stream, StreamName string
	Correlation        string
	// From (inclusive) and To (exclusive) bound when they were emitted.
	From, To time.Time
	// Ascending puts the oldest first.
	Ascending bool
	Limit     int
	projections.Fresh
}

// DomainEvents returns a page of domain events, newest first unless the query says otherwise.
func (c *Client) DomainEvents(ctx context.Context, f DomainEventsQuery) (wire.Page[wire.Event], error) {
	q := url.Values{}
	addInt(q, "before", int64(f.Before))
	addInt(q, "after", int64(f.After))
	addAll(q, "type", f.Types)
	addText(q, "type_prefix", f.TypeBegins)
	addText(q, "stream", f.Stream)
	addText(q, "stream_name", f.StreamName)
	addText(q, "correlation", f.Correlation)
	addTime(q, "from", f.From)
	addTime(q, "to", f.To)
	if f.Ascending {
		q.Set("ascending", "true")
	}
	addInt(q, "limit", int64(f.Limit))
	addFresh(q, f.Fresh)
	return get[wire.Page[wire.Event]](ctx, c, "/events", c.lately(q))
}
