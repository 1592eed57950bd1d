package saga

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/rejected"
)

// Event is a domain event as a trigger sees it.
type Event struct {
	ID     uuid.UUID
	Type   string
	Stream string
	Data   json.RawMessage
	// CorrelationID and CausationID come from the event's metadata; empty if it has none.
	CorrelationID, CausationID string
	Position                   domain.Position
	Created                    time.Time
}

// AnyTrigger is a trigger with any types. Only *Trigger implements it.
type AnyTrigger interface {
	matches(e *Event) bool
	sagaOf() AnySaga
	// asks computes the run that an event starts.
	asks(e *Event) (asked, error)
	eventType() string
	streamPrefix() string
}

// Trigger starts a run of a saga for each domain event of a type. The event's id, or Key,
// determines the run's id, so an event starts one run however often it is delivered. Set the fields
// before you register it, and don't change them afterwards.
type Trigger[In, Out any] struct {
	// Type is the event's type. Required.
	Type string
	// StreamPrefix, if set, selects events whose stream's name begins with it.
	StreamPrefix string
	// When, if set, selects the events. It must be a pure function.
	When func(Event) bool
	// Saga is the saga that is started. Required.
	Saga *Saga[In, Out]
	// Input computes the run's input; nil reads the event's data as the input. It must be a pure
	// function. If it fails, the event starts nothing: it is logged, and waits in the list of
	// rejected events, see [Coordinator.Rejected].
	Input func(Event) (In, error)
	// Key, if set, names the subject of the event, such as an order. Of all events with one key,
	// the first starts a run; a start by hand with the same [Key] finds that run too. If Key
	// returns "", the event's id is used. It must be a pure function.
	Key func(Event) string
	// Labels, if set, are attached to the run. It must be a pure function.
	Labels func(Event) map[string]string
}

// asked is the run that an event asks for.
type asked struct {
	input  json.RawMessage
	key    string
	labels map[string]string
}

func (t *Trigger[In, Out]) eventType() string { return t.Type }

func (t *Trigger[In, Out]) streamPrefix() string { return t.StreamPrefix }

func (t *Trigger[In, Out]) sagaOf() AnySaga { return t.Saga }

func (t *Trigger[In, Out]) matches(e *Event) bool {
	return e.Type == t.Type && strings.HasPrefix(e.Stream, t.StreamPrefix) && (t.When == nil || t.When(*e))
}

func (t *Trigger[In, Out]) asks(e *Event) (a asked, err error) {
	read := t.Input
	if read == nil { // the event may have members that the input does not have
		read = func(e Event) (In, error) { return payload.Decode[In](e.Data) }
	}
	in, err := read(*e)
	if err != nil {
		return a, err
	}
	if a.input, err = payload.EncodeOwn("the input", in); err != nil {
		return a, err
	}
	if t.Key != nil {
		a.key = t.Key(*e)
	}
	if t.Labels != nil {
		a.labels = maps.Clone(t.Labels(*e))
	}
	return a, nil
}

// RegisterTriggers registers triggers and the sagas that they start. A coordinator that has
// triggers for the first time begins with the events that are appended from then on.
func (c *Coordinator) RegisterTriggers(triggers ...AnyTrigger) error {
	if c.state.Load() != stateIdle {
		return errors.New("register before Run: a running coordinator's triggers are fixed")
	}
	var errs []error
	for _, t := range triggers {
		switch {
		case t == nil:
			errs = append(errs, errors.New("trigger is nil"))
		case domain.ReservedType(t.eventType()):
			errs = append(errs, fmt.Errorf("trigger on event type %q: it is empty or reserved for atone's own events", t.eventType()))
		case accept.Name("its type", t.eventType(), accept.MaxName) != nil:
			errs = append(errs, fmt.Errorf("trigger on events that no app can emit: %w", accept.Name("its type", t.eventType(), accept.MaxName)))
		default:
			errs = append(errs, addSaga(c.registry, t.sagaOf()))
		}
	}
	if err := domain.JoinOnce(errs...); err != nil {
		return err
	}
	c.triggers = append(c.triggers, triggers...)
	return nil
}

// Rejected is the list of events that could not start their runs, because the trigger's code failed
// or their payloads don't fit. With a program whose trigger takes them they are retried; others are
// dismissed.
func (c *Coordinator) Rejected() *rejected.Book { return c.rejected }

// SecretFields returns the secret fields of a domain event's payload: those of the sagas that the
// event type starts or that await it. Use it before you show an event.
func (c *Coordinator) SecretFields(eventType string) []string {
	started := make(map[string]bool)
	for _, t := range c.triggers {
		if t.eventType() == eventType {
			name, _ := t.sagaOf().SagaName()
			started[name] = true
		}
	}
	return c.registry.SecretsOfEvent(eventType, started)
}

func eventOf(e *domain.Recorded) Event {
	m, err := domain.DecodeMeta(e.Metadata)
	if err != nil {
		m = domain.Meta{} // apps may write metadata in their own format
	}
	return Event{ID: e.ID, Type: e.Type, Stream: e.Stream, Data: e.Data, CorrelationID: m.CorrelationID,
		CausationID: m.CausationID, Position: e.Position, Created: e.Created}
}
