package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/internal/timers"
)

type attemptKey struct{}

// attemptState is what a handler's context carries.
type attemptState struct {
	task   *Task
	logger *slog.Logger
	beat   func(details json.RawMessage) error
	clock  *timers.Clock
	// until is when the attempt is given up, by the steady clock; deadline is the same by the clock
	// that handlers read. Zero means never.
	until, deadline time.Time

	mu      sync.Mutex
	emitted []Emitted
	size    int
	over    bool      // the handler has returned: further events would be lost
	lastOut time.Time // when the last heartbeat was sent, by the steady clock
}

// AttemptOf returns the attempt that the handler is called for. Outside a handler it returns the
// zero Attempt.
func AttemptOf(ctx context.Context) domain.Attempt {
	a, ok := ctx.Value(attemptKey{}).(*attemptState)
	if !ok {
		return domain.Attempt{}
	}
	t := a.task
	return domain.Attempt{Run: t.Run, Saga: t.Saga, Step: t.Step, Action: t.Action, Direction: t.Direction,
		Number: t.Attempt, Key: t.Key, Deadline: a.deadline, Trace: t.Trace}
}

// Logger returns a logger that carries the run, step and attempt. Outside a handler it is
// slog's default.
func Logger(ctx context.Context) *slog.Logger {
	a, ok := ctx.Value(attemptKey{}).(*attemptState)
	if !ok {
		return slog.Default()
	}
	t := a.task
	return a.logger.With("run", t.Run, "saga", t.Saga, "step", t.Step, "direction", t.Direction, "attempt", t.Attempt)
}

// errOutside is returned by functions that only make sense inside a handler.
var errOutside = errors.New("not inside an action's handler: pass the context that the handler was called with")

// Heartbeat tells the coordinator that a long attempt is alive. details is its progress: any JSON
// value, or nil. An attempt that does not beat for its action's HeartbeatTimeout counts as lost and
// is retried; the next attempt reads the details with [LastHeartbeat]. Frequent calls are cheap: at
// most three beats are sent per timeout.
func Heartbeat(ctx context.Context, details any) error {
	a, ok := ctx.Value(attemptKey{}).(*attemptState)
	if !ok {
		return errOutside
	}
	raw, err := payload.Encode(details)
	if err != nil {
		return err
	}
	if len(raw) > maxPayload {
		return fmt.Errorf("heartbeat details are %d bytes; at most %d fit: keep them elsewhere and pass a reference", len(raw), maxPayload)
	}
	every := time.Duration(a.task.Beat) / 3
	now := a.clock.Steady()
	a.mu.Lock()
	due := every > 0 && now.Sub(a.lastOut) >= every
	if due {
		a.lastOut = now
	}
	a.mu.Unlock()
	if !due {
		return ctx.Err()
	}
	if err := a.beat(raw); err != nil {
		return err
	}
	return ctx.Err()
}

// LastHeartbeat reads the details of the latest heartbeat of earlier attempts into v, and
// reports whether there were any.
func LastHeartbeat(ctx context.Context, v any) (bool, error) {
	a, ok := ctx.Value(attemptKey{}).(*attemptState)
	if !ok {
		return false, errOutside
	}
	if len(a.task.Details) == 0 {
		return false, nil
	}
	return true, json.Unmarshal(a.task.Details, v)
}

// Emit appends a domain event of the given type in the same atomic write as the attempt's success,
// or not at all if the attempt fails. It refuses types that begin like atone's own (run., step.,
// attempt. …) or with $, and calls after the handler has returned.
func Emit(ctx context.Context, eventType string, value any) error {
	a, ok := ctx.Value(attemptKey{}).(*attemptState)
	if !ok {
		return errOutside
	}
	if err := accept.Name("the event's type", eventType, accept.MaxName); err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	if domain.ReservedType(eventType) {
		return fmt.Errorf("event type %q is reserved: choose one that does not begin like atone's own (see docs/formats.md)", eventType)
	}
	raw, err := payload.EncodeOwn("the payload", value)
	if err != nil {
		return fmt.Errorf("emit %s: %w", eventType, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return fmt.Errorf("emit %s: the handler has returned and its outcome was sent without the event: emit before it returns", eventType)
	}
	hidden := payload.SecretsOf(reflect.TypeOf(value)).Names
	size := len(raw) + len(eventType) + emittedEnvelope
	for _, name := range hidden {
		size += len(name) + len(`"",`)
	}
	if a.size+size > maxPayload {
		return fmt.Errorf("emit %s: the attempt's events are over %d bytes, with %d for the envelope of each: they must fit one append", eventType, maxPayload, emittedEnvelope)
	}
	a.size += size
	a.emitted = append(a.emitted, Emitted{Type: eventType, Payload: raw, Secret: hidden})
	return nil
}

// maxPayload bounds a single payload (an input, an output, an item, a signal), in bytes, so
// that it fits an append together with its event.
const maxPayload = accept.MaxPayload

// emittedEnvelope bounds the id and metadata of an emitted event, in bytes.
const emittedEnvelope = 700
