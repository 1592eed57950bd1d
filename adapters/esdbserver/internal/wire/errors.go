package wire

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

// RefusalError is an error that clients understand: a gRPC status together with trailers, of
// which "exception" names the kind and the rest its details.
type RefusalError struct {
	Code     codes.Code
	Message  string
	Trailers metadata.MD
}

// Error implements error.
func (f *RefusalError) Error() string { return f.Message }

// GRPCStatus makes the failure the status of its call.
func (f *RefusalError) GRPCStatus() *status.Status { return status.New(f.Code, f.Message) }

// Exception makes a failure from the exception's name and its details, which are names and values
// in turn.
func Exception(code codes.Code, name, message string, details ...string) *RefusalError {
	md := metadata.Pairs("exception", name)
	for i := 0; i < len(details); i += 2 {
		md.Set(details[i], headerValue(details[i+1]))
	}
	return &RefusalError{Code: code, Message: message, Trailers: md}
}

// headerValue escapes a value that has control characters, as names may: HTTP/2 forbids them in
// trailers, and a client would drop the whole answer and not see why its call failed.
func headerValue(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return url.PathEscape(s)
	}
	return s
}

func AccessDenied() error {
	return Exception(codes.PermissionDenied, "access-denied", "Access Denied")
}

// ReservedName refuses what only a coordinator may do, and says by which shape of its name.
func ReservedName(stream, shape string) error {
	return Exception(codes.PermissionDenied, "access-denied", fmt.Sprintf(
		"Access Denied: the stream %s belongs to atone by the shape of its name (%s): choose another name, or log in as a coordinator", stream, shape))
}

func Unauthenticated() error {
	return &RefusalError{Code: codes.Unauthenticated, Message: "Unauthenticated"}
}

func streamDeleted(stream string) error {
	return Exception(codes.FailedPrecondition, "stream-deleted", fmt.Sprintf("Event stream '%s' is deleted.", stream), "stream-name", stream)
}

func wrongExpectedVersion(operation string, err *domain.ConflictError) error {
	expected, actual := strconv.FormatInt(int64(err.Expected), 10), strconv.FormatInt(int64(err.Actual), 10)
	message := fmt.Sprintf("%s failed due to WrongExpectedVersion. Stream: %s, Expected version: %s, Actual version: %s", operation, err.Stream, expected, actual)
	return Exception(codes.FailedPrecondition, "wrong-expected-version", message,
		"stream-name", err.Stream, "expected-version", expected, "actual-version", actual)
}

func MaximumAppendSize(limit int) error {
	return Exception(codes.InvalidArgument, "maximum-append-size-exceeded",
		fmt.Sprintf("Maximum Append Size of %d Exceeded.", limit), "maximum-append-size", strconv.Itoa(limit))
}

func missingMetadata(property string) error {
	return Exception(codes.InvalidArgument, "missing-required-metadata-property",
		fmt.Sprintf("Required Metadata Property '%s' is missing", property), "required-metadata-properties", "type,content-type")
}

func InvalidArgument(format string, args ...any) error {
	return &RefusalError{Code: codes.InvalidArgument, Message: fmt.Sprintf(format, args...)}
}

// Refused is the error for what the original refuses by an exception of its handler. It has the
// same code, but says what is wrong instead of "Exception was thrown by handler."
func Refused(format string, args ...any) error {
	return &RefusalError{Code: codes.Unknown, Message: fmt.Sprintf(format, args...)}
}

// NotValid is the original's error for a required alternative that was left out.
func NotValid(oneof string) error {
	return InvalidArgument("'None' is not a valid EventStore.Client.Streams.%s", oneof)
}

// NotValidGroup is [NotValid] for persistent subscriptions.
func NotValidGroup(oneof string) error {
	return InvalidArgument("'None' is not a valid EventStore.Client.PersistentSubscriptions.%s", oneof)
}

// GroupError builds one of the persistent-subscription-* exceptions.
func GroupError(code codes.Code, name, message, stream, group string, details ...string) error {
	all := []string{"stream-name", stream}
	if group != "" {
		all = append(all, "group-name", group)
	}
	return Exception(code, name, message, append(all, details...)...)
}

// Translate turns an error into one that clients understand.
func Translate(err error, operation string) error {
	var (
		known    *RefusalError
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
		return MaximumAppendSize(domain.MaxAppendSize)
	case errors.Is(err, domain.ErrAccessDenied):
		return AccessDenied()
	case errors.Is(err, domain.ErrClosed):
		return &RefusalError{Code: codes.Unavailable, Message: "Server Is Not Ready"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	if s, ok := status.FromError(err); ok {
		if s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), "larger than max") {
			return status.Error(codes.ResourceExhausted, "Received message exceeds the maximum configured message size.")
		}
		return err
	}
	return &RefusalError{Code: codes.Unknown, Message: fmt.Sprintf("%s failed: %v", operation, err)}
}

// SendTrailers gives the call the trailers of its failure.
func SendTrailers(ctx context.Context, err error) {
	var f *RefusalError
	if errors.As(err, &f) && f.Trailers != nil {
		// It fails only outside of a call, where there is nobody to tell.
		_ = grpc.SetTrailer(ctx, f.Trailers)
	}
}
