package engine

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// append makes the decided events durable and performs what they ask for. A batch over the limit of
// an append is written as several: a run can go on from any prefix of its events.
func (t *turnState) append(ctx context.Context) error {
	a := t.a
	for len(t.events) > 0 {
		sealed, hash, last, n, err := t.seal()
		if err != nil {
			return err
		}
		first := a.State.Revision - int64(len(t.events)) + 1
		began := time.Now()
		if err := a.engine.cfg.Journal.Persevere(ctx, a.stream, domain.Expected(first-1), sealed...); err != nil {
			return err
		}
		took := time.Since(began)
		a.Hash, a.LastID = hash, last
		a.Since += n
		a.progressed = true
		a.engine.Counts.Appends.Add(1)
		a.engine.Counts.Events.Add(int64(n))
		done := t.events[:n]
		t.events = t.events[n:]
		t.perform(done)
		a.expectSiblings(done, took)
	}
	t.events, t.size = nil, 0
	return nil
}

// sealedRest is about how many bytes an event takes in an append besides [eventSize].
const sealedRest = 200

// seal writes as many of the decided events as fit one append.
func (t *turnState) seal() (sealed []domain.NewEvent, hash domain.ChainHash, last uuid.UUID, n int, err error) {
	a := t.a
	hash, last = a.Hash, a.LastID
	revision := uint64(a.State.Revision - int64(len(t.events)) + 1)
	sealed = make([]domain.NewEvent, 0, len(t.events))
	correlation, trace := a.State.Correlation, a.State.Trace
	size, whole := 0, 0 // a batch may be cut after this many events
	cause := ""
	if last != uuid.Nil {
		cause = last.String()
	}
	prev := hash
	buf := make([]byte, 0, t.size+sealedRest*len(t.events))
	for i, d := range t.events {
		m := domain.Meta{CorrelationID: correlation, CausationID: cmp.Or(d.ctx.Causation, cause), At: t.now, Actor: d.ctx.Actor, Clock: d.clock}
		if i == 0 && revision == 0 {
			m.Trace = trace
		}
		if i == len(t.events)-1 {
			m.Wake = a.wake()
		}
		e, h, written := domain.AppendSealed(buf, a.stream, revision+uint64(i), prev, d.event, m)
		buf = written
		if size += e.Size(); size > domain.MaxAppendSize && whole > 0 {
			return sealed[:whole], hash, last, whole, nil
		}
		if size > domain.MaxAppendSize {
			return nil, hash, last, 0, fmt.Errorf("run %s: a single %s event is %d bytes: %w", a.id, e.Type, e.Size(), domain.ErrTooLarge)
		}
		sealed = append(sealed, e)
		prev = h
		if i == 0 && len(t.events) > 1 {
			cause = e.ID.String() // the batch's first event causes the others
		}
		if _, emitted := d.event.(*domain.DomainEvent); !emitted {
			hash, last, whole = h, e.ID, i+1
		}
	}
	return sealed, hash, last, len(sealed), nil
}
