package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// failure is an error that clients understand: a gRPC status together with trailers, of
// which "exception" names the kind and the rest its details.
type failure struct {
	code     codes.Code
	message  string
	trailers metadata.MD
}

// Error implements error.
func (f *failure) Error() string { return f.message }

// GRPCStatus makes the failure the status of its call.
func (f *failure) GRPCStatus() *status.Status { return status.New(f.code, f.message) }

// exception makes a failure from the exception's name and its details, which are names and values in turn.
func exception(code codes.Code, name, message string, details ...string) *failure {
	md := metadata.Pairs("exception", name)
	for i := 0; i < len(details); i += 2 {
		md.Set(details[i], headerValue(details[i+1]))
	}
	return &failure{code: code, message: message, trailers: md}
}

// headerValue keeps control characters, which names may have, out of a trailer: HTTP/2 forbids
// them, and a client would throw the whole answer away and not see why its call failed. Only
// values that have them are escaped.
func headerValue(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return url.PathEscape(s)
	}
	return s
}

func accessDenied() error {
	return exception(codes.PermissionDenied, "access-denied", "Access Denied")
}

// reservedName refuses what only a coordinator may do, and says by which shape of its name.
func reservedName(stream, shape string) error {
	return exception(codes.PermissionDenied, "access-denied", fmt.Sprintf(
		"Access Denied: the stream %s belongs to atone by the shape of its name (%s): choose another name, or log in as a coordinator", stream, shape))
}

func unauthenticated() error {
	return &failure{code: codes.Unauthenticated, message: "Unauthenticated"}
}

func streamDeleted(stream string) error {
	return exception(codes.FailedPrecondition, "stream-deleted", fmt.Sprintf("Event stream '%s' is deleted.", stream), "stream-name", stream)
}

func wrongExpectedVersion(operation string, err *domain.ConflictError) error {
	expected, actual := strconv.FormatInt(int64(err.Expected), 10), strconv.FormatInt(int64(err.Actual), 10)
	message := fmt.Sprintf("%s failed due to WrongExpectedVersion. Stream: %s, Expected version: %s, Actual version: %s", operation, err.Stream, expected, actual)
	return exception(codes.FailedPrecondition, "wrong-expected-version", message,
		"stream-name", err.Stream, "expected-version", expected, "actual-version", actual)
}

func maximumAppendSize(limit int) error {
	return exception(codes.InvalidArgument, "maximum-append-size-exceeded",
		fmt.Sprintf("Maximum Append Size of %d Exceeded.", limit), "maximum-append-size", strconv.Itoa(limit))
}

func missingMetadata(property string) error {
	return exception(codes.InvalidArgument, "missing-required-metadata-property",
		fmt.Sprintf("Required Metadata Property '%s' is missing", property), "required-metadata-properties", "type,content-type")
}

func invalidArgument(format string, args ...any) error {
	return &failure{code: codes.InvalidArgument, message: fmt.Sprintf(format, args...)}
}

// refused is an error for what the original refuses by an exception of its handler: the code is
// the same, and in place of its "Exception was thrown by handler." stands what is wrong.
func refused(format string, args ...any) error {
	return &failure{code: codes.Unknown, message: fmt.Sprintf(format, args...)}
}

// notValid says, in the original's words, that a required alternative was left out.
func notValid(oneof string) error {
	return invalidArgument("'None' is not a valid EventStore.Client.Streams.%s", oneof)
}

// notValidGroup is notValid for persistent subscriptions.
func notValidGroup(oneof string) error {
	return invalidArgument("'None' is not a valid EventStore.Client.PersistentSubscriptions.%s", oneof)
}

// groupError builds one of the persistent-subscription-* exceptions.
func groupError(code codes.Code, name, message, stream, group string, details ...string) error {
	all := []string{"stream-name", stream}
	if group != "" {
		all = append(all, "group-name", group)
	}
	return exception(code, name, message, append(all, details...)...)
}

// translate turns an error into one that clients understand.
func translate(err error, operation string) error {
	var (
		known    *failure
		conflict *domain.ConflictError
		deleted  *streamdb.DeletedError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &conflict):
		return wrongExpectedVersion(operation, conflict)
	case errors.As(err, &deleted):
		return streamDeleted(deleted.Stream)
	case errors.Is(err, domain.ErrTooLarge):
		return maximumAppendSize(domain.MaxAppendSize)
	case errors.Is(err, domain.ErrAccessDenied):
		return accessDenied()
	case errors.Is(err, domain.ErrClosed):
		return &failure{code: codes.Unavailable, message: "Server Is Not Ready"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	if s, ok := status.FromError(err); ok {
		if s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), "larger than max") {
			return status.Error(codes.ResourceExhausted, "Received message exceeds the maximum configured message size.")
		}
		return err
	}
	return &failure{code: codes.Unknown, message: fmt.Sprintf("%s failed: %v", operation, err)}
}

// sendTrailers gives the call the trailers of its failure.
func sendTrailers(ctx context.Context, err error) {
	var f *failure
	if errors.As(err, &f) && f.trailers != nil {
		// It fails only outside of a call, and then there is nobody to tell.
		_ = grpc.SetTrailer(ctx, f.trailers)
	}
}
