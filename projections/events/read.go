package events

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/atonehq/atone/domain"
)

// Log reads streams; every [domain.Log] does.
type Log interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// ErrGone means that the log does not have the event any more.
var ErrGone = errors.New("deleted from the log since")

// Event is a row with its event.
type Event struct {
	Row
	// Recorded is the event as the log has it, nil if Err is set.
	Recorded *domain.Recorded
	// Err says why there is no event: [ErrGone], or what the log says.
	Err error
}

// Why is Err for people who may not see what the log says; empty if there is an event.
func (e *Event) Why() string {
	switch {
	case e.Err == nil:
		return ""
	case errors.Is(e.Err, ErrGone):
		return ErrGone.Error()
	}
	return "can't be read from the log now"
}

// Read reads the events of rows, in their order, a stream at a time. What can't be read is no
// error, but said of the event. The error is that of ctx.
func Read(ctx context.Context, log Log, rows []Row) ([]Event, error) {
	out := make([]Event, len(rows))
	streams := make(map[string][]*Event)
	for i := range rows {
		out[i] = Event{Row: rows[i], Err: ErrGone}
		streams[rows[i].Stream] = append(streams[rows[i].Stream], &out[i])
	}
	for _, of := range streams {
		slices.SortFunc(of, func(a, b *Event) int { return int(int64(a.Revision) - int64(b.Revision)) })
		for len(of) > 0 {
			of = readOn(ctx, log, of)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// passed is how many events of a stream are read and passed over, rather than read from further on.
const passed = 64

// readOn reads the first of the events, which are of one stream and in its order, and those that
// follow closely. It returns the rest.
func readOn(ctx context.Context, log Log, of []*Event) []*Event {
	for r, err := range log.ReadStream(ctx, of[0].Stream, of[0].Revision) {
		if errors.Is(err, domain.ErrStreamDeleted) {
			return nil
		}
		if err != nil {
			for _, e := range of {
				e.Err = fmt.Errorf("read event %d of %s: %w", e.Revision, e.Stream, err)
			}
			return nil
		}
		for len(of) > 0 && of[0].Revision <= r.Revision {
			// Another id: the log was put back from a copy, and went on differently.
			if of[0].Revision == r.Revision && of[0].ID == r.ID {
				of[0].Recorded, of[0].Err = &r, nil
			}
			of = of[1:]
		}
		if len(of) == 0 || of[0].Revision-r.Revision > passed {
			return of
		}
	}
	return nil
}
