package projections

import (
	"context"
	"iter"

	"github.com/atonehq/atone/domain"
)

// Source is what projections need of a log; every [domain.Log] is one.
type Source interface {
	// ReadStream yields a stream's events in order, from a revision (inclusive).
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	// ReadAll yields the selected events after the position, up to the end of the log.
	ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
	// ReadAllBackward yields the selected events before the position, newest first.
	ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error]
	// Subscribe yields every selected event after the position, stored and then live.
	Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error]
}

var _ Source = domain.Log(nil)
