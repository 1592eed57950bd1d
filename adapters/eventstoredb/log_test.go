package eventstoredb

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// open returns a log on the server with short pauses, closed with the test.
func open(t testing.TB, connection string, change ...func(*Config)) *Log {
	t.Helper()
	cfg := Config{Connection: connection, RetryInitial: time.Millisecond, RetryMax: 20 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	l, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// event returns an event with an id of its own.
func event(data string) domain.NewEvent {
	return domain.NewEvent{ID: uuid.New(), Type: "test.happened.v1", Data: []byte(data)}
}

// contextFor bounds a test, so that what hangs fails.
func contextFor(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestAppendRepeatsTheIdenticalBatchWhileTheOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.Aborted, codes.DeadlineExceeded, codes.Unavailable} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			f, ctx := newFakeServer(t), contextFor(t)
			log := open(t, f.connection())
			attempts := 0
			f.hook(func(f *fakeServer) {
				f.onAppend = func(api.Streams_AppendServer) error {
					if attempts++; attempts < 4 {
						return status.Error(code, "later")
					}
					return nil
				}
			})
			at, err := log.Append(ctx, "s", domain.NoStream, event(`1`), event(`2`))
			require.NoError(t, err)
			require.Equal(t, domain.Appended{Revision: 1, Position: collect(t, log.ReadStream(ctx, "s", 1))[0].Position}, at)
			require.Equal(t, 4, attempts)
		})
	}
}

func TestAppendThatWasWrittenButNotAnsweredIsOneWrite(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	events := []domain.NewEvent{event(`1`), event(`2`)}
	var called atomic.Bool
	f.hook(func(f *fakeServer) {
		f.onAppend = func(call api.Streams_AppendServer) error {
			if called.Swap(true) {
				return nil
			}
			_, err := f.log.Append(ctx, "s", domain.NoStream, events...)
			return errors.Join(err, status.Error(codes.DeadlineExceeded, "commit timeout"))
		}
	})
	at, err := log.Append(ctx, "s", domain.NoStream, events...)
	require.NoError(t, err)
	require.Equal(t, uint64(1), at.Revision)
	require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 2)
}

func TestAppendGivesUpOnlyWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	log := open(t, f.connection())
	ctx, cancel := context.WithCancel(context.Background())
	attempts := 0
	f.hook(func(f *fakeServer) {
		f.onAppend = func(api.Streams_AppendServer) error {
			if attempts++; attempts == 5 {
				cancel()
			}
			return status.Error(codes.Unavailable, "electing a leader")
		}
	})
	_, err := log.Append(ctx, "s", domain.NoStream, event(`1`))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "electing a leader")
}

func TestAppendSendsASlowAttemptAgain(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection(), func(c *Config) { c.AttemptTimeout = 50 * time.Millisecond })
	var called atomic.Bool
	f.hook(func(f *fakeServer) {
		f.onAppend = func(call api.Streams_AppendServer) error {
			if !called.Swap(true) {
				<-call.Context().Done()
				return call.Context().Err()
			}
			return nil
		}
	})
	_, err := log.Append(ctx, "s", domain.NoStream, event(`1`))
	require.NoError(t, err)
}

func TestAppendTellsErrorsApart(t *testing.T) {
	t.Parallel()
	refuse := func(code codes.Code, trailer ...string) func(api.Streams_AppendServer) error {
		return func(call api.Streams_AppendServer) error {
			call.SetTrailer(metadata.Pairs(trailer...))
			return status.Error(code, "no")
		}
	}
	for name, c := range map[string]struct {
		hook func(api.Streams_AppendServer) error
		want error
	}{
		"deleted":              {refuse(codes.FailedPrecondition, "exception", "stream-deleted", "stream-name", "s"), domain.ErrStreamDeleted},
		"denied by ACL":        {refuse(codes.PermissionDenied, "exception", "access-denied"), domain.ErrAccessDenied},
		"denied without words": {refuse(codes.PermissionDenied), domain.ErrAccessDenied},
		"wrong password":       {refuse(codes.Unauthenticated), domain.ErrAccessDenied},
		"over the server's":    {refuse(codes.InvalidArgument, "exception", "maximum-append-size-exceeded"), domain.ErrTooLarge},
		"conflict in trailers": {refuse(codes.FailedPrecondition, "exception", "wrong-expected-version", "expected-version", "4", "actual-version", "7"),
			&domain.ConflictError{Stream: "s", Expected: 4, Actual: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFakeServer(t), contextFor(t)
			f.hook(func(f *fakeServer) { f.onAppend = c.hook })
			_, err := open(t, f.connection()).Append(ctx, "s", 4, event(`1`))
			var conflict *domain.ConflictError
			if errors.As(err, &conflict) {
				require.Equal(t, c.want, conflict)
				return
			}
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestAppendRefusesTooLargeBeforeSending(t *testing.T) {
	t.Parallel()
	log := open(t, "esdb://127.0.0.1:1?tls=false") // nobody listens there
	_, err := log.Append(contextFor(t), "s", domain.NoStream, event(string(make([]byte, domain.MaxAppendSize))))
	require.ErrorIs(t, err, domain.ErrTooLarge)
}

func TestARepeatAnsweredWithoutPositionIsLookedUp(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	events := []domain.NewEvent{event(`1`), event(`2`), event(`3`)}
	_, err := log.Append(ctx, "s", domain.NoStream, events...)
	require.NoError(t, err)
	f.hook(func(f *fakeServer) {
		f.onAppend = func(call api.Streams_AppendServer) error {
			for {
				if _, err := call.Recv(); errors.Is(err, io.EOF) {
					break
				}
			}
			_ = call.SendMsg(&api.AppendResp{Result: &api.AppendResp_Success_{Success: &api.AppendResp_Success{
				CurrentRevisionOption: &api.AppendResp_Success_CurrentRevision{CurrentRevision: 1}}}})
			return errAnswered
		}
	})
	at, err := log.Append(ctx, "s", domain.NoStream, events[:2]...)
	require.NoError(t, err)
	require.Equal(t, domain.Appended{Revision: 1, Position: collect(t, log.ReadStream(ctx, "s", 1))[0].Position}, at)
	at, err = log.Append(ctx, "s", domain.NoStream, event(`of a stream that was deleted since`))
	require.NoError(t, err)
	require.Equal(t, domain.Appended{Revision: 1}, at, "another event's place is not this one's")
}

func TestHealthTellsWhetherTheClusterAnswers(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	require.NoError(t, log.Health(ctx))
	f.stop()
	require.ErrorContains(t, log.Health(ctx), "not ready")
	f.start()
	require.Eventually(t, func() bool { return log.Health(ctx) == nil }, time.Minute, 10*time.Millisecond)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, log.Health(ended), context.Canceled)
	require.NoError(t, log.Close())
	require.ErrorIs(t, log.Health(ctx), domain.ErrClosed)
}

func TestCallsThatWereCutOffAreRepeated(t *testing.T) {
	t.Parallel()
	for message, repeated := range map[string]bool{
		"stream terminated by RST_STREAM with error code: INTERNAL_ERROR": true,
		"server closed the stream without sending trailers":               true,
		"unexpected exception": false,
	} {
		var transient *nodes.TransientError
		require.Equal(t, repeated, errors.As(nodes.Translate(status.Error(codes.Internal, message), nil), &transient), message)
	}
}

func TestSubscribeEndsOnlyWhereARepetitionIsOfNoUse(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	calls := 0
	f.hook(func(f *fakeServer) {
		f.onRead = func(*api.ReadReq, api.Streams_ReadServer) (bool, error) {
			calls++
			return true, status.Error([]codes.Code{codes.Unknown, codes.Internal, codes.Unavailable, codes.PermissionDenied}[calls-1], "no")
		}
	})
	for _, err := range log.Subscribe(ctx, 0, domain.Filter{}) {
		require.ErrorIs(t, err, domain.ErrAccessDenied)
	}
	require.Equal(t, 4, calls)
}

// brokenSend lets the second message of a log's first append fail as gRPC does when its connection
// breaks: with EOF. After that gRPC may silently begin the call anew with the messages that it had
// taken.
type brokenSend struct {
	grpc.ClientStream
	sent int
}

func (b *brokenSend) SendMsg(m any) error {
	if b.sent++; b.sent == 2 {
		return io.EOF
	}
	return b.ClientStream.SendMsg(m)
}

func TestAnAppendThatCouldNotBeSentWholeIsNotTakenForDone(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	var broken atomic.Bool
	log := open(t, f.connection(), func(c *Config) {
		c.DialOptions = []grpc.DialOption{grpc.WithStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			s, err := streamer(ctx, d, cc, method, opts...)
			if err != nil || !strings.HasSuffix(method, "/Append") || broken.Swap(true) {
				return s, err
			}
			return &brokenSend{ClientStream: s}, nil
		})}
	})
	at, err := log.Append(ctx, "s", domain.AnyRevision, event(`1`), event(`2`))
	require.NoError(t, err)
	require.True(t, broken.Load())
	require.Equal(t, uint64(1), at.Revision)
	require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 2)
}

func TestAnAcknowledgementOfAnotherRevisionIsAnError(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	f.hook(func(f *fakeServer) {
		f.onAppend = func(call api.Streams_AppendServer) error {
			_ = call.SendMsg(&api.AppendResp{Result: &api.AppendResp_Success_{Success: &api.AppendResp_Success{
				CurrentRevisionOption: &api.AppendResp_Success_CurrentRevision{CurrentRevision: 4}}}})
			return errAnswered
		}
	})
	_, err := log.Append(ctx, "s", 4, event(`1`))
	require.ErrorContains(t, err, "acknowledged revision 4")
}
