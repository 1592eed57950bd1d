package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// Values of the trailer "exception" that this package tells apart.
const (
	ExceptionNotLeader         = "not-leader"
	ExceptionStreamDeleted     = "stream-deleted"
	exceptionAccessDenied      = "access-denied"
	exceptionNotAuthenticated  = "not-authenticated"
	exceptionWrongExpected     = "wrong-expected-version"
	ExceptionAppendTooLarge    = "maximum-append-size-exceeded"
	exceptionEventTooLarge     = "maximum-append-event-size-exceeded"
	ExceptionGroupExists       = "persistent-subscription-exists"
	ExceptionGroupDoesNotExist = "persistent-subscription-does-not-exist"
)

// TransientError is a failure after which the identical call is made again.
type TransientError struct {
	Err error
	// NodeLost says that the next attempt looks for a node anew.
	NodeLost bool
	// Leader is the leader's address where the node told it.
	Leader string
	// Poisoned says that this connection must not be used again, whichever node it leads to.
	Poisoned bool
	// Puzzling says that the server did not explain the failure: the connection or the request
	// itself may be at fault. The call is repeated only a few times.
	Puzzling bool
}

func (e *TransientError) Error() string { return e.Err.Error() }
func (e *TransientError) Unwrap() error { return e.Err }

// ExceptionOf returns the server's name for what went wrong, or "".
func ExceptionOf(trailer metadata.MD) string { return first(trailer, "exception") }

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Translate turns a failed call's error into one of atone's: a *transientError where
// the call is to be repeated, or an error that wraps the matching domain error.
func Translate(err error, trailer metadata.MD) error {
	switch ExceptionOf(trailer) {
	case ExceptionNotLeader:
		return &TransientError{Err: err, NodeLost: true, Leader: leaderOf(trailer)}
	case ExceptionStreamDeleted:
		return StreamDeleted(err)
	case exceptionAccessDenied, exceptionNotAuthenticated:
		return AccessDenied(err)
	case ExceptionAppendTooLarge, exceptionEventTooLarge:
		return TooLargeThere(err)
	}
	if positionRefused(err) {
		return fmt.Errorf("%w (%w)", domain.ErrBadPosition, err)
	}
	switch status.Code(err) {
	case codes.Unavailable:
		return &TransientError{Err: err, NodeLost: true}
	case codes.Unknown:
		// Servers say so of arguments that they did not expect, and of anything at all on a
		// connection on which a batch call ended with not-leader.
		if status.Convert(err).Message() == HandlerThrew {
			return &TransientError{Err: err, NodeLost: true, Poisoned: true, Puzzling: true}
		}
	case codes.ResourceExhausted:
		if cutOff(err) {
			return &TransientError{Err: err, NodeLost: true, Poisoned: true, Puzzling: true}
		}
	case codes.Aborted, codes.DeadlineExceeded:
		return &TransientError{Err: err}
	case codes.Canceled:
		// Not the caller's doing (see attempt): the connection was closed under the call.
		return &TransientError{Err: err}
	case codes.PermissionDenied, codes.Unauthenticated:
		return AccessDenied(err)
	case codes.Internal:
		if cutOff(err) {
			return &TransientError{Err: err, NodeLost: true}
		}
	}
	return err
}

// HandlerThrew is a server's whole message about an exception that it did not expect.
const HandlerThrew = "Exception was thrown by handler."

// positionRefused reports whether the server refused a position in $all: subscriptions and the two
// ways of reading have words of their own.
func positionRefused(err error) bool {
	switch status.Convert(err).Message() {
	case "Trying to read from an invalid position.",
		"Unexpected ReadAllResult: InvalidPosition", "Unexpected FilteredReadAllResult: InvalidPosition":
		return true
	}
	return false
}

// cutOff reports whether gRPC itself ended the call because the server dropped it without an
// answer, as a server does when it stops.
func cutOff(err error) bool {
	message := status.Convert(err).Message()
	return strings.HasPrefix(message, "stream terminated by RST_STREAM") ||
		strings.HasPrefix(message, "server closed the stream without sending trailers")
}

// Permanent reports whether a subscription that failed with err would fail with it again.
func Permanent(err error) bool {
	if errors.Is(err, domain.ErrAccessDenied) || errors.Is(err, domain.ErrStreamDeleted) ||
		errors.Is(err, domain.ErrBadPosition) || errors.Is(err, domain.ErrClosed) {
		return true
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Unimplemented, codes.FailedPrecondition, codes.OutOfRange:
		return true
	}
	return false
}

func StreamDeleted(err error) error {
	return fmt.Errorf("%w for ever: it can't be used again, choose another name (%w)", domain.ErrStreamDeleted, err)
}

func TooLargeThere(err error) error {
	return fmt.Errorf("%w: the server takes less than %d bytes; raise its MaxAppendSize (%w)",
		domain.ErrTooLarge, domain.MaxAppendSize, err)
}

func AccessDenied(err error) error {
	return fmt.Errorf("%w: check the user in the connection string and the stream's ACL (%w)", domain.ErrAccessDenied, err)
}

// leaderOf reads the leader's address from the trailers of a node that does not lead.
func leaderOf(trailer metadata.MD) string {
	host, port := first(trailer, "leader-endpoint-host"), first(trailer, "leader-endpoint-port")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
}

// ConflictIn reads a conflict that came as trailers rather than in the answer: where the stream
// stands.
func ConflictIn(trailer metadata.MD) (actual domain.Expected, conflict bool) {
	if ExceptionOf(trailer) != exceptionWrongExpected {
		return 0, false
	}
	revision, err := strconv.ParseInt(first(trailer, "actual-version"), 10, 64)
	if err != nil || revision < 0 {
		return domain.NoStream, true
	}
	return domain.Expected(revision), true
}

// Ended returns why ctx ended, with the last failure before it; nil if ctx has not ended. For a
// closed log it is [domain.ErrClosed] alone.
func Ended(ctx context.Context, last error) error {
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(context.Cause(ctx), domain.ErrClosed):
		return domain.ErrClosed
	case last == nil:
		return ctx.Err()
	}
	return fmt.Errorf("%w; the last attempt failed: %w", ctx.Err(), last)
}
