package saga

import (
	"context"
	"log/slog"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/work"
)

// Attempt says, inside a handler, what it is called for. It is plain data that adapters share.
type Attempt = domain.Attempt

// Observer is told of attempts. Its methods are called concurrently and must return quickly: one that
// hangs is not told anything more until it returns.
type Observer interface {
	// AttemptBegan is called before a handler. The context that it returns is the handler's.
	AttemptBegan(ctx context.Context, a Attempt) context.Context
	// AttemptEnded is called after it; failure is nil on success.
	AttemptEnded(ctx context.Context, a Attempt, took time.Duration, failure *domain.Failure)
}

// Causes with which a handler's context is cancelled; see context.Cause.
var (
	// ErrRunTurnedBack means that the run is being undone.
	ErrRunTurnedBack = work.ErrRunTurnedBack
	// ErrShutdown means that the worker is stopping.
	ErrShutdown = work.ErrShutdown
)

// ActionTopic returns the topic on which the attempts of an action travel to workers:
// atone.action.NAME, or atone.NAMESPACE.action.NAME. See [Config.Namespace].
func ActionTopic(namespace, action string) string { return work.ActionTopic(namespace, action) }

// OutcomesTopic returns the topic on which outcomes travel back to coordinators: atone.outcomes, or
// atone.NAMESPACE.outcomes.
func OutcomesTopic(namespace string) string { return work.OutcomesTopic(namespace) }

// AttemptOf returns what the handler is called for. Outside a handler it returns the zero Attempt.
func AttemptOf(ctx context.Context) Attempt { return work.AttemptOf(ctx) }

// Logger returns a logger that carries the run, step and attempt. Outside a handler it is
// slog's default.
func Logger(ctx context.Context) *slog.Logger { return work.Logger(ctx) }

// Heartbeat tells the coordinator that a long attempt is alive, with details of how far it is
// (any JSON value, or nil). An action with a HeartbeatTimeout that does not beat for that
// long is taken for lost and retried; the next attempt reads the details with [LastHeartbeat].
// It is cheap to call often: beats are sent at most three times in a timeout.
func Heartbeat(ctx context.Context, details any) error { return work.Heartbeat(ctx, details) }

// LastHeartbeat reads the details of the latest heartbeat of earlier attempts into v, and
// reports whether there were any.
func LastHeartbeat(ctx context.Context, v any) (bool, error) { return work.LastHeartbeat(ctx, v) }

// Emit has a domain event of the given type appended in the same atomic write as the attempt's
// success, or not at all if it fails. Types that begin like atone's own (run., step.,
// attempt. …) or with $ are refused, and so is a call after the handler has returned.
func Emit(ctx context.Context, eventType string, payload any) error {
	return work.Emit(ctx, eventType, payload)
}
