package eventstoredb

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
	exceptionNotLeader         = "not-leader"
	exceptionStreamDeleted     = "stream-deleted"
	exceptionAccessDenied      = "access-denied"
	exceptionNotAuthenticated  = "not-authenticated"
	exceptionWrongExpected     = "wrong-expected-version"
	exceptionAppendTooLarge    = "maximum-append-size-exceeded"
	exceptionEventTooLarge     = "maximum-append-event-size-exceeded"
	exceptionGroupExists       = "persistent-subscription-exists"
	exceptionGroupDoesNotExist = "persistent-subscription-does-not-exist"
)

// transientError is a failure after which the identical call is made again.
type transientError struct {
	err error
	// nodeLost says that another node may have to be asked.
	nodeLost bool
	// leader is the leader's address where the node told it.
	leader string
	// poisoned says that nothing more may be asked on this connection, of whatever node.
	poisoned bool
	// puzzling says that the server could not tell what was wrong: the connection, or the
	// request itself. It is repeated a few times only.
	puzzling bool
}

func (e *transientError) Error() string { return e.err.Error() }
func (e *transientError) Unwrap() error { return e.err }

// exceptionOf returns the server's name for what went wrong, or "".
func exceptionOf(trailer metadata.MD) string { return first(trailer, "exception") }

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// translate turns a failed call's error into one of atone's: a *transientError where
// the call is to be repeated, or an error that wraps the matching domain error.
func translate(err error, trailer metadata.MD) error {
	switch exceptionOf(trailer) {
	case exceptionNotLeader:
		return &transientError{err: err, nodeLost: true, leader: leaderOf(trailer)}
	case exceptionStreamDeleted:
		return streamDeleted(err)
	case exceptionAccessDenied, exceptionNotAuthenticated:
		return accessDenied(err)
	case exceptionAppendTooLarge, exceptionEventTooLarge:
		return tooLargeThere(err)
	}
	if positionRefused(err) {
		return fmt.Errorf("%w (%w)", domain.ErrBadPosition, err)
	}
	switch status.Code(err) {
	case codes.Unavailable:
		return &transientError{err: err, nodeLost: true}
	case codes.Unknown:
		// What servers say of arguments that they did not expect, and of anything at all on a
		// connection on which a batch call ended with not-leader.
		if status.Convert(err).Message() == handlerThrew {
			return &transientError{err: err, nodeLost: true, poisoned: true, puzzling: true}
		}
	case codes.ResourceExhausted:
		if cutOff(err) {
			return &transientError{err: err, nodeLost: true, poisoned: true, puzzling: true}
		}
	case codes.Aborted, codes.DeadlineExceeded:
		return &transientError{err: err}
	case codes.Canceled:
		// Not the caller's doing (see attempt): the connection was closed under the call.
		return &transientError{err: err}
	case codes.PermissionDenied, codes.Unauthenticated:
		return accessDenied(err)
	case codes.Internal:
		if cutOff(err) {
			return &transientError{err: err, nodeLost: true}
		}
	}
	return err
}

// handlerThrew is all that a server says of an exception that it did not expect.
const handlerThrew = "Exception was thrown by handler."

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

// cutOff reports whether it was gRPC itself that ended the call, because the server
// dropped it without an answer, as a server does that is stopped.
func cutOff(err error) bool {
	message := status.Convert(err).Message()
	return strings.HasPrefix(message, "stream terminated by RST_STREAM") ||
		strings.HasPrefix(message, "server closed the stream without sending trailers")
}

// permanent reports whether a subscription that failed so would fail so again.
func permanent(err error) bool {
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

func streamDeleted(err error) error {
	return fmt.Errorf("%w for ever: it can't be used again, choose another name (%w)", domain.ErrStreamDeleted, err)
}

func tooLargeThere(err error) error {
	return fmt.Errorf("%w: the server takes less than %d bytes; raise its MaxAppendSize (%w)",
		domain.ErrTooLarge, domain.MaxAppendSize, err)
}

func accessDenied(err error) error {
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

// conflictFrom reads a conflict that came as trailers rather than in the answer.
func conflictFrom(trailer metadata.MD, b *batch) error {
	if exceptionOf(trailer) != exceptionWrongExpected {
		return nil
	}
	actual, err := strconv.ParseInt(first(trailer, "actual-version"), 10, 64)
	if err != nil || actual < 0 {
		actual = int64(domain.NoStream)
	}
	return b.conflict(domain.Expected(actual))
}

// ended returns why ctx ended, together with the last failure before it, or nil while
// it goes on. A closed log is told as [domain.ErrClosed] alone.
func ended(ctx context.Context, last error) error {
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
