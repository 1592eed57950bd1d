package streamdb

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Resolved is an event as a reader gets it. When links are resolved, Link is the link that
// stood in the stream and Event what it points to, nil when that cannot be read any more.
// At least one of the two is there.
type Resolved struct {
	Event, Link *domain.Recorded
}

// Original returns the event that stands in the stream that was read.
func (r Resolved) Original() *domain.Recorded {
	if r.Link != nil {
		return r.Link
	}
	return r.Event
}

// ParseLink splits a link's data, "N@stream".
func ParseLink(data []byte) (number uint64, stream string, ok bool) {
	n, stream, ok := strings.Cut(string(data), "@")
	if !ok || stream == "" {
		return 0, "", false
	}
	number, err := strconv.ParseUint(n, 10, 63)
	return number, stream, err == nil
}

// Resolve follows the event if it is a link. may says whether the reader may read the stream that
// the link points to; nil allows every stream. A link to an event that cannot be found or read
// stays unresolved, as in EventStoreDB.
func (db *DB) Resolve(ctx context.Context, event domain.Recorded, may func(context.Context, string) (bool, error)) (Resolved, error) {
	if event.Type != TypeLink {
		return Resolved{Event: &event}, nil
	}
	number, stream, ok := ParseLink(event.Data)
	if !ok { // it only looks like a link
		return Resolved{Event: &event}, nil
	}
	if IsVirtual(stream) {
		return Resolved{Link: &event}, nil
	}
	if may != nil {
		if ok, err := may(ctx, stream); err != nil || !ok {
			return Resolved{Link: &event}, err
		}
	}
	view, err := db.View(ctx, stream)
	if errors.Is(err, domain.ErrStreamDeleted) {
		return Resolved{Link: &event}, nil
	}
	if err != nil {
		return Resolved{}, err
	}
	if !view.Exists || int64(number) < view.First {
		return Resolved{Link: &event}, nil
	}
	for target, err := range view.Forward(ctx, number) {
		if err != nil {
			return Resolved{}, err
		}
		if target.Revision == number {
			return Resolved{Event: &target, Link: &event}, nil
		}
		break
	}
	return Resolved{Link: &event}, nil
}
