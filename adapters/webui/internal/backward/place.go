package backward

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Place is where a page of events begins: before a position of the log and, where one stream is
// read, at a revision of it.
type Place struct {
	Before   domain.Position
	revision uint64
}

// Read reads a place from an address, where it is POSITION or POSITION-REVISION; anything else
// is the end.
func Read(text string) Place {
	p := Place{domain.EndPosition, domain.End}
	position, revision, _ := strings.Cut(text, "-")
	if n, err := strconv.ParseUint(position, 10, 64); err == nil {
		p.Before = domain.Position(n)
	}
	if n, err := strconv.ParseUint(revision, 10, 64); err == nil {
		p.revision = n
	}
	return p
}

// Next is the place, as in an address, of the page after the one that ends with that event. It is
// empty after the first event of the stream that is read.
func (p Place) Next(e *domain.Recorded, stream string) string {
	position := strconv.FormatUint(uint64(min(e.Position, p.Before)), 10)
	switch {
	case e.Stream != stream:
		return position
	case e.Revision == 0:
		return ""
	}
	return position + "-" + strconv.FormatUint(e.Revision-1, 10)
}

// Log is what is read.
type Log interface {
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
}

// Events reads events backward: those of the stream that is called so, by the log's own
// index, or of the streams that begin so, or all. Those of one stream may include newer ones than
// the place, if it has no revision.
func (p Place) Events(ctx context.Context, log Log, stream string) iter.Seq2[domain.Recorded, error] {
	if stream == "" {
		return log.ReadAllBackward(ctx, p.Before, domain.Filter{})
	}
	return func(yield func(domain.Recorded, error) bool) {
		whole := false
		for e, err := range log.ReadStreamBackward(ctx, stream, p.revision) {
			whole = whole || err == nil
			if !yield(e, err) || err != nil {
				return
			}
		}
		if whole {
			return
		}
		for e, err := range log.ReadAllBackward(ctx, p.Before, domain.Filter{Prefixes: []string{stream}}) {
			if !yield(e, err) {
				return
			}
		}
	}
}
