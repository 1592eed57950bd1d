package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// Append implements [domain.Log].
//
// While the outcome is unknown (Aborted, DeadlineExceeded, Unavailable, a node that does not lead)
// the identical batch is sent again until ctx ends; the error is then ctx's, and the outcome stays
// unknown. A batch is never sent while this process waits for the answer to an identical one, as
// servers drop such a repeat: it waits. Besides the port's errors Append returns an error that
// wraps [domain.ErrStreamDeleted] or [domain.ErrAccessDenied] where the server says so, and a plain
// one for an event without id or type and for the stream $$, an append to which ends the process of
// some servers: nothing was written then.
//
// The repeat of an append to a stream that was deleted since is acknowledged with position 0: the
// server does not know it any more.
func (l *Log) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	b := &batch{stream: stream, expected: expected, events: events}
	done, err := l.append(ctx, b)
	if err != nil {
		return domain.Appended{}, fmt.Errorf("append %d events to %s: %w", len(events), stream, err)
	}
	return done, nil
}

func (l *Log) append(ctx context.Context, b *batch) (domain.Appended, error) {
	if err := b.check(); err != nil {
		return domain.Appended{}, err
	}
	ctx, unbind := l.bind(ctx)
	defer unbind()
	flight, err := l.flights.begin(ctx, b)
	if err != nil {
		return domain.Appended{}, err
	}
	l.silence.ask()
	answer, err := l.send(ctx, b, flight)
	l.flights.end(flight)
	l.silence.end(err == nil || ctx.Err() == nil)
	var conflict *domain.ConflictError
	switch {
	case err == nil && !answer.noStream:
		l.told.note(b.stream, answer.revision)
	case errors.As(err, &conflict) && conflict.Actual >= 0:
		l.told.note(b.stream, uint64(conflict.Actual))
	case errors.As(err, &conflict):
		l.told.forget(b.stream)
	}
	if err != nil {
		return domain.Appended{}, err
	}
	done := domain.Appended{Revision: answer.revision, Position: answer.position}
	if done.Position == 0 && len(b.events) > 0 {
		return l.locate(ctx, b, done)
	}
	return done, nil
}

// send makes attempts until one is answered.
func (l *Log) send(ctx context.Context, b *batch, f *flight) (answer receipt, err error) {
	err = l.repeat(ctx, func(n int) error {
		if err := l.flights.turn(ctx, f, n > 0); err != nil {
			return err
		}
		way := l.ways.choose(f.only())
		began := time.Now()
		if way == batched {
			answer, err = l.appendBatched(ctx, b)
		} else {
			answer, err = l.appendUnary(ctx, n, b)
		}
		if errors.Is(err, errNoBatches) {
			l.ways.refuse()
			answer, err = l.appendUnary(ctx, n, b)
		} else if err == nil && n == 0 {
			l.ways.took(way, time.Since(began))
		}
		return err
	})
	return answer, err
}

// locate finds the position of an event whose append was answered without one, as servers do for a
// repeat whose original can't be read any more, and some for every repeat. Another event in
// its place is not it.
func (l *Log) locate(ctx context.Context, b *batch, done domain.Appended) (domain.Appended, error) {
	last := b.events[len(b.events)-1].ID
	for event, err := range l.ReadStream(ctx, b.stream, done.Revision) {
		if err != nil {
			return domain.Appended{}, fmt.Errorf("find the position of revision %d: %w", done.Revision, err)
		}
		if event.Revision == done.Revision && event.ID == last {
			done.Position = event.Position
		}
		break
	}
	return done, nil
}
