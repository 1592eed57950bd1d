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
// unknown. Append waits while this process awaits the answer to an identical batch: servers drop a
// batch that repeats one in progress. Besides the port's errors Append returns an error that wraps
// [domain.ErrStreamDeleted] or [domain.ErrAccessDenied] where the server says so, and a plain error
// for an event without id or type and for the stream $$ (an append to it ends the process of some
// servers). Nothing was written then.
//
// A repeat is acknowledged with position 0 if the stream was deleted after the first write: the
// server does not know the position any more.
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
	answer, done := l.appendAtOnce(ctx, b)
	if !done {
		var err error
		if answer, err = l.appendAtLast(ctx, b); err != nil {
			return domain.Appended{}, err
		}
	}
	if !answer.noStream {
		l.told.note(b.stream, answer.revision)
	}
	receipt := domain.Appended{Revision: answer.revision, Position: answer.position}
	if receipt.Position == 0 && len(b.events) > 0 {
		return l.locate(ctx, b, receipt)
	}
	return receipt, nil
}

// appendAtOnce makes one attempt if a call is open and no other append to the stream is in the way,
// which is nearly always so. It needs no context of its own, because closing the log ends the call.
// It reports false if it made no attempt or the attempt failed: [Log.appendAtLast] goes on from
// there.
func (l *Log) appendAtOnce(ctx context.Context, b *batch) (receipt, bool) {
	if b.flight = l.flights.enter(b); b.flight == nil || !l.flights.clear(b.flight, false) {
		return receipt{}, false
	}
	b.way, b.chosen = l.ways.choose(b.flight.only()), true
	if b.way != batched {
		return receipt{}, false
	}
	call, err := l.laneOf(b.stream).usable()
	if call == nil || err != nil {
		return receipt{}, false
	}
	l.silence.ask()
	b.asked, b.chosen = true, false
	began := time.Now()
	answer, err := l.callBatched(ctx, call, b)
	if err != nil {
		b.failed = err
		return receipt{}, false
	}
	l.flights.end(b.flight)
	l.silence.end(true)
	l.ways.took(batched, time.Since(began))
	return answer, true
}

// appendAtLast makes attempts until one is answered. The first may have been made.
func (l *Log) appendAtLast(ctx context.Context, b *batch) (receipt, error) {
	ctx, unbind := l.bind(ctx)
	defer unbind()
	if b.flight == nil {
		var err error
		if b.flight, err = l.flights.begin(ctx, b); err != nil {
			return receipt{}, err
		}
	}
	if !b.asked {
		l.silence.ask()
	}
	answer, err := l.send(ctx, b)
	l.flights.end(b.flight)
	l.silence.end(err == nil || ctx.Err() == nil)
	var conflict *domain.ConflictError
	if errors.As(err, &conflict) {
		if conflict.Actual >= 0 {
			l.told.note(b.stream, uint64(conflict.Actual))
		} else {
			l.told.forget(b.stream)
		}
	}
	return answer, err
}

// send makes attempts until one is answered.
func (l *Log) send(ctx context.Context, b *batch) (answer receipt, err error) {
	err = l.repeat(ctx, func(n int) error {
		began := time.Now()
		if n == 0 && b.failed != nil {
			answer, err = receipt{}, b.failed
		} else {
			answer, err = l.attempt(ctx, n, b)
		}
		if errors.Is(err, errNoBatches) {
			l.ways.refuse()
			answer, err = l.appendUnary(ctx, n, b)
		} else if err == nil && n == 0 {
			l.ways.took(b.way, time.Since(began))
		}
		return err
	})
	return answer, err
}

// attempt waits for the append's turn and makes attempt n of it.
func (l *Log) attempt(ctx context.Context, n int, b *batch) (receipt, error) {
	if err := l.flights.turn(ctx, b.flight, n > 0); err != nil {
		return receipt{}, err
	}
	if !b.chosen {
		b.way = l.ways.choose(b.flight.only())
	}
	b.chosen = false
	if b.way == batched {
		return l.appendBatched(ctx, b)
	}
	return l.appendUnary(ctx, n, b)
}

// locate finds the position of an event whose append was answered without one: servers answer so
// when a repeat's original can't be read any more, and some answer every repeat so. If another
// event stands at that revision, the position stays unknown.
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
