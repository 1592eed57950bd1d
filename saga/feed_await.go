package saga

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// wake delivers an event to the runs that await it, or keeps it for those that will.
func (f *feed) wake(ctx context.Context, e *Event) error {
	if e.CorrelationID == "" {
		return nil
	}
	k := awaitKey{e.Type, e.CorrelationID}
	for id, started := range f.open[k] {
		if started >= e.Position {
			continue // what was before the run does not concern it
		}
		if err := f.deliver(ctx, id, k, e.ID.String(), e.Data); err != nil {
			return err
		}
		delete(f.open[k], id)
	}
	if len(f.open[k]) == 0 {
		delete(f.open, k)
	}
	if len(f.earlyOrder) >= earlyEvents {
		delete(f.early, f.earlyOrder[0])
		f.earlyOrder = f.earlyOrder[1:]
	}
	if _, known := f.early[k]; !known {
		f.earlyOrder = append(f.earlyOrder, k)
	}
	f.early[k] = earlyEvent{id: e.ID.String(), value: e.Data, at: e.Position}
	return nil
}

func (f *feed) deliver(ctx context.Context, id domain.RunID, k awaitKey, event string, value json.RawMessage) error {
	if checkPayload("the event", value) != nil {
		return nil
	}
	err := f.c.do(ctx, id, &request{intent: machine.EventSeen{Type: k.eventType, Correlation: k.correlation, ID: event, Value: value},
		ctx: requestContext{actor: f.c.cfg.Node, causation: event}})
	if isRefusal(err) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// opened handles an await that was opened: the event may have come before, but after the run's
// start.
func (f *feed) opened(ctx context.Context, run domain.RunID, e *domain.Recorded) error {
	fact, err := domain.DecodeFact(e)
	if err != nil {
		return err
	}
	a, ok := fact.Event.(*domain.AwaitOpened)
	if !ok || a.Event == "" {
		return nil
	}
	k := awaitKey{a.Event, a.Correlation}
	started, err := f.startOf(ctx, run)
	if err != nil {
		return err
	}
	f.add(k, run, started)
	if early, ok := f.early[k]; ok {
		if early.at > started {
			return f.deliver(ctx, run, k, early.id, early.value)
		}
		return nil
	}
	if started >= f.from && len(f.earlyOrder) < earlyEvents {
		return nil // everything since is in memory
	}
	for r, err := range f.c.log.ReadAll(ctx, started, domain.Filter{}) {
		if err != nil {
			return err
		}
		if r.Position >= e.Position {
			return nil
		}
		if r.Type == a.Event {
			if ev := eventOf(&r); ev.CorrelationID == a.Correlation {
				return f.deliver(ctx, run, k, ev.ID.String(), ev.Data)
			}
		}
	}
	return nil
}

// startOf returns from where on a run is interested in events: its start, or the event that
// triggered it.
func (f *feed) startOf(ctx context.Context, run domain.RunID) (domain.Position, error) {
	for r, err := range f.c.log.ReadStream(ctx, domain.RunStream(run), 0) {
		if err != nil {
			return 0, err
		}
		fact, err := domain.DecodeFact(&r)
		if err != nil {
			return 0, err
		}
		if e, ok := fact.Event.(*domain.RunStarted); ok && e.Trigger != nil && e.Trigger.Position > 0 {
			return e.Trigger.Position, nil
		}
		return r.Position, nil
	}
	return 0, nil
}
