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
)

// EmitOptions adjusts an emitted event.
type EmitOptions struct {
	// ID makes the event idempotent in its stream: the same id with the same type and payload
	// is the same event, with others an [ErrKeyConflict]. A UUID is taken as the event's id; other text is
	// hashed into one. Empty means a random id.
	ID string
	// Correlation is the id that awaits select the event by.
	Correlation string
}

// Emitted tells where an emitted event stands.
type Emitted struct {
	Stream   string          `json:"stream"`
	ID       uuid.UUID       `json:"id"`
	Revision uint64          `json:"revision"`
	Position domain.Position `json:"position"`
}

// emitSpace is the name space of the ids that are derived from callers' ids.
var emitSpace = uuid.MustParse("6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e05")

// EmitEvent appends a domain event to a stream and returns when it is durable. Streams and types that
// atone reserves are refused. Errors: [ErrBadInput], [ErrKeyConflict], [ErrNotRunning].
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
	at, err := c.log.Append(ctx, stream, domain.AnyRevision, e)
	if err != nil {
		return Emitted{}, fmt.Errorf("emit %s to %s: %w", eventType, stream, err)
	}
	out := Emitted{Stream: stream, ID: id, Revision: at.Revision, Position: at.Position}
	if opts.ID == "" {
		return out, nil
	}
	return out, c.sameEvent(ctx, out, e, opts.Correlation)
}

// sameEvent checks that what stands in the log is what was to be appended: a repeat with other content is refused, and
// so is one that the log does not show: its stream was cut off since, and nothing agrees with nothing.
func (c *Coordinator) sameEvent(ctx context.Context, at Emitted, e domain.NewEvent, correlation string) error {
	for r, err := range c.log.ReadStream(ctx, at.Stream, at.Revision) {
		if err != nil {
			return fmt.Errorf("read %s: %w", at.Stream, err)
		}
		m, err := domain.DecodeMeta(r.Metadata)
		if err != nil || r.Revision != at.Revision || r.ID != e.ID || r.Type != e.Type || m.CorrelationID != correlation || !sameJSON(r.Data, e.Data) {
			return fmt.Errorf("%w: event %s stands in %s with other content: use another id", ErrKeyConflict, e.ID, at.Stream)
		}
		return nil
	}
	return fmt.Errorf("%w: event %s stands in %s and can't be read any more, so it may have other content: use another id", ErrKeyConflict, e.ID, at.Stream)
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
	bad(strings.HasPrefix(stream, "$"), "a stream whose name begins with $ is the log's own: choose another")
	bad(domain.ReservedStream(stream), "stream %.100q is atone's own, by its shape (%s): choose another name", stream, domain.ReservedShape(stream))
	bad(eventType != "" && domain.ReservedType(eventType), "event type %.100q is reserved: choose one that does not begin like atone's own (see docs/formats.md)", eventType)
	return errors.Join(append(errs,
		accept.Name("the stream", stream, accept.MaxName),
		accept.Name("the event's type", eventType, accept.MaxName),
		accept.OptionalName("the id", opts.ID, accept.MaxName),
		accept.OptionalName("the correlation id", opts.Correlation, accept.MaxName),
		accept.Payload("the payload", payload))...)
}
