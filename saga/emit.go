package saga

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/payload"
)

// EmitOptions adjusts an emitted event.
type EmitOptions struct {
	// ID makes the event idempotent in its stream: the same id with the same type and payload is
	// the same event, with another type or payload an [ErrKeyConflict]. A UUID is used as the
	// event's id; other text is hashed into one. Empty means a random id.
	ID string
	// Correlation is the correlation id, by which awaits select the event.
	Correlation string
}

// Emitted is the place of an emitted event in the log.
type Emitted struct {
	Stream   string          `json:"stream"`
	ID       uuid.UUID       `json:"id"`
	Revision uint64          `json:"revision"`
	Position domain.Position `json:"position"`
}

// emitSpace is the name space of the ids that are derived from callers' ids.
var emitSpace = uuid.MustParse("6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e05")

// EmitEvent appends a domain event to a stream and returns when it is durable. It refuses streams
// and types that atone reserves. Errors: [ErrBadInput], [ErrKeyConflict], [ErrNotRunning].
func (c *Coordinator) EmitEvent(ctx context.Context, stream, eventType string, payload json.RawMessage, opts EmitOptions) (Emitted, error) {
	if err := errors.Join(checkEmit(stream, eventType, payload, opts), checkActor(ctx)); err != nil {
		return Emitted{}, fmt.Errorf("%w: emit: %w", ErrBadInput, err)
	}
	if err := c.awaitReady(ctx); err != nil {
		return Emitted{}, err
	}
	id := emitID(stream, opts.ID)
	meta, err := json.Marshal(domain.Meta{CorrelationID: opts.Correlation, At: c.clock.Now().UTC(), Actor: cmp.Or(actorOf(ctx), c.cfg.Node)})
	if err != nil {
		return Emitted{}, fmt.Errorf("emit %s: %w", eventType, err)
	}
	e := domain.NewEvent{ID: id, Type: eventType, Data: domain.OrNull(bytes.Clone(payload)), Metadata: meta}
	at, err := c.journal.Append(ctx, stream, domain.AnyRevision, e)
	if err != nil {
		return Emitted{}, fmt.Errorf("emit %s to %s: %w", eventType, stream, err)
	}
	out := Emitted{Stream: stream, ID: id, Revision: at.Revision, Position: at.Position}
	if opts.ID == "" {
		return out, nil
	}
	return out, c.sameEvent(ctx, out, e, opts.Correlation)
}

// sameEvent checks that the event in the log is the one that was to be appended. It refuses a
// repeat with other content, and one whose first event is no longer in the stream and so can't be
// compared.
func (c *Coordinator) sameEvent(ctx context.Context, at Emitted, e domain.NewEvent, correlation string) error {
	for r, err := range c.journal.ReadStream(ctx, at.Stream, at.Revision) {
		if err != nil {
			return fmt.Errorf("read %s: %w", at.Stream, err)
		}
		m, err := domain.DecodeMeta(r.Metadata)
		if err != nil || r.Revision != at.Revision || r.ID != e.ID || r.Type != e.Type || m.CorrelationID != correlation || !payload.Same(r.Data, e.Data) {
			return fmt.Errorf("%w: event %s is in %s with other content: use another id", ErrKeyConflict, e.ID, at.Stream)
		}
		return nil
	}
	return fmt.Errorf("%w: event %s was in %s and can't be read any more, so it may have had other content: use another id", ErrKeyConflict, e.ID, at.Stream)
}

func emitID(stream, id string) uuid.UUID {
	if id == "" {
		return uuid.New()
	}
	if u, err := uuid.Parse(id); err == nil && u != uuid.Nil && len(id) == 36 {
		return u
	}
	return uuid.NewSHA1(emitSpace, []byte(stream+"\x00"+id))
}

func checkEmit(stream, eventType string, payload json.RawMessage, opts EmitOptions) error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(strings.HasPrefix(stream, "$"), "streams whose names begin with $ belong to the log: choose another name")
	bad(domain.ReservedStream(stream), "stream %.100q has a name that atone reserves (%s): choose another name", stream, domain.ReservedShape(stream))
	bad(eventType != "" && domain.ReservedType(eventType), "event type %.100q is reserved: choose one that does not begin like atone's own (see docs/formats.md)", eventType)
	return errors.Join(append(errs,
		accept.Name("the stream", stream, accept.MaxName),
		accept.Name("the event's type", eventType, accept.MaxName),
		accept.OptionalName("the id", opts.ID, accept.MaxName),
		accept.OptionalName("the correlation id", opts.Correlation, accept.MaxName),
		accept.Payload("the payload", payload))...)
}
