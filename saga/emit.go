package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
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

// maxName bounds the names of streams and event types that callers choose, in bytes.
const maxName = 250

// EmitEvent appends a domain event to a stream and returns when it is durable. Streams and types that
// atone reserves are refused. Errors: [ErrBadInput], [ErrKeyConflict], [ErrNotRunning].
func (c *Coordinator) EmitEvent(ctx context.Context, stream, eventType string, payload json.RawMessage, opts EmitOptions) (Emitted, error) {
	if err := checkEmit(stream, eventType, payload, opts); err != nil {
		return Emitted{}, fmt.Errorf("%w: emit: %w", ErrBadInput, err)
	}
	if err := c.awaitReady(ctx); err != nil {
		return Emitted{}, err
	}
	id := emitID(stream, opts.ID)
	meta, err := json.Marshal(domain.Meta{CorrelationID: opts.Correlation, At: c.cfg.Now().UTC(), Actor: orElse(actorOf(ctx), c.cfg.Node)})
	if err != nil {
		return Emitted{}, fmt.Errorf("emit %s: %w", eventType, err)
	}
	e := domain.NewEvent{ID: id, Type: eventType, Data: orNullJSON(payload), Metadata: meta}
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

// sameEvent checks that what stands in the log is what was to be appended: a repeat with other content is refused.
func (c *Coordinator) sameEvent(ctx context.Context, at Emitted, e domain.NewEvent, correlation string) error {
	for r, err := range c.log.ReadStream(ctx, at.Stream, at.Revision) {
		if err != nil {
			return fmt.Errorf("read %s: %w", at.Stream, err)
		}
		m, err := domain.DecodeMeta(r.Metadata)
		if err != nil || r.ID != e.ID || r.Type != e.Type || m.CorrelationID != correlation || !sameJSON(r.Data, e.Data) {
			return fmt.Errorf("%w: event %s stands in %s with other content: use another id", ErrKeyConflict, e.ID, at.Stream)
		}
		return nil
	}
	return nil
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

func orNullJSON(payload json.RawMessage) json.RawMessage {
	if len(payload) == 0 {
		return json.RawMessage("null")
	}
	return payload
}

func checkEmit(stream, eventType string, payload json.RawMessage, opts EmitOptions) error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(stream == "" || len(stream) > maxName || strings.HasPrefix(stream, "$") || hasControl(stream), "the stream needs a name of 1 to %d bytes that does not begin with $", maxName)
	bad(domain.ReservedStream(stream), "stream %q is atone's own: choose a name that does not begin with run-, plan-, saga-, snapshot- or atone-", stream)
	bad(eventType == "" || len(eventType) > maxName || hasControl(eventType), "the event needs a type of 1 to %d bytes", maxName)
	bad(eventType != "" && domain.ReservedType(eventType), "event type %q is reserved: choose one that does not begin like atone's own (see docs/formats.md)", eventType)
	bad(len(payload) > 0 && !json.Valid(payload), "the payload is not valid JSON")
	bad(len(opts.ID) > maxName || len(opts.Correlation) > maxName, "the id and the correlation id have at most %d bytes", maxName)
	return errors.Join(append(errs, checkPayload("the payload", payload))...)
}

// hasControl reports whether the name has control characters, which no tool shows.
func hasControl(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\uFFFD' })
}
