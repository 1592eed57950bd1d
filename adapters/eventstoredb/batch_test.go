package eventstoredb

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/atonehq/atone/domain"
)

// batchHook sees a batch before it is appended; see serveBatches.
type batchHook = func(api.Streams_BatchAppendServer, *api.BatchAppendReq) (bool, error)

// batching returns a server that takes batches, and no appends that are calls of their own, and a
// log on it.
func batching(t *testing.T, hook batchHook, change ...func(*Config)) (*fakeServer, *Log) {
	t.Helper()
	f := newFakeServer(t)
	f.hook(func(f *fakeServer) {
		f.onBatch = f.serveBatches(hook)
		f.onAppend = func(api.Streams_AppendServer) error {
			return status.Error(codes.InvalidArgument, "this was to be a batch")
		}
	})
	return f, open(t, f.connection(), change...)
}

func TestAppendsShareOneCall(t *testing.T) {
	t.Parallel()
	ctx := contextFor(t)
	const callers = 40
	calls := map[api.Streams_BatchAppendServer]bool{}
	var held []*api.BatchAppendReq
	var f *fakeServer
	f, log := batching(t, func(call api.Streams_BatchAppendServer, m *api.BatchAppendReq) (bool, error) {
		require.True(t, m.GetIsFinal())
		require.Nil(t, m.GetOptions().GetDeadlineOption(), "it would bound the time between parts, and there is one part")
		calls[call] = true
		if held = append(held, m); len(held) < callers {
			return true, nil
		}
		// all are in flight; they are told apart by their ids
		for _, m := range slices.Backward(held) {
			if err := call.Send(f.appendBatch(ctx, m)); err != nil {
				return true, err
			}
		}
		return true, nil
	}, func(c *Config) { c.AppendConnections = 1 })
	var callersDone sync.WaitGroup
	for i := range callers {
		callersDone.Go(func() {
			at, err := log.Append(ctx, fmt.Sprint("s-", i), domain.NoStream, event(`1`), event(`2`))
			if err != nil || at.Revision != 1 {
				t.Errorf("append %d: %v %v", i, at, err)
			}
		})
	}
	callersDone.Wait()
	require.Len(t, calls, 1)
	for i := range callers {
		require.Len(t, collect(t, log.ReadStream(ctx, fmt.Sprint("s-", i), 0)), 2)
	}
}

// TestAnswersToBatchesMeanWhatThoseToCallsMean holds each way in which a real server refuses a
// batch against what a call of its own would have returned (scenarios F1, F2, J5).
func TestAnswersToBatchesMeanWhatThoseToCallsMean(t *testing.T) {
	t.Parallel()
	conflict := func(option func(*shared.WrongExpectedVersion)) proto.Message {
		w := &shared.WrongExpectedVersion{ExpectedStreamPositionOption: &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: 4}}
		option(w)
		return w
	}
	for name, c := range map[string]struct {
		code    codes.Code
		message string
		detail  proto.Message
		want    error // nil: it is sent again
	}{
		"conflict": {codes.AlreadyExists, "WrongExpectedVersion", conflict(func(w *shared.WrongExpectedVersion) {
			w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: 7}
		}), &domain.ConflictError{Stream: "s", Expected: 4, Actual: 7}},
		"conflict at revision 0": {codes.AlreadyExists, "WrongExpectedVersion", conflict(func(w *shared.WrongExpectedVersion) {
			w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{}
		}), &domain.ConflictError{Stream: "s", Expected: 4, Actual: 0}},
		"conflict without a stream": {codes.AlreadyExists, "WrongExpectedVersion", conflict(func(w *shared.WrongExpectedVersion) {
			w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}
		}), &domain.ConflictError{Stream: "s", Expected: 4, Actual: domain.NoStream}},
		"deleted":   {codes.NotFound, "StreamDeleted", &shared.StreamDeleted{}, domain.ErrStreamDeleted},
		"denied":    {codes.PermissionDenied, "AccessDenied", &shared.AccessDenied{}, domain.ErrAccessDenied},
		"too large": {codes.InvalidArgument, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{MaxAppendSize: 1000}, domain.ErrTooLarge},
		"bad":       {codes.InvalidArgument, "BadRequest", &shared.BadRequest{Message: "no"}, status.Error(codes.InvalidArgument, "BadRequest")},
		"timeout":   {codes.DeadlineExceeded, "Timeout", &shared.Timeout{}, nil},
		"not ready": {codes.OK, "Server Is Not Ready", &emptypb.Empty{}, nil},
		"unknown":   {codes.Unknown, "Unknown: x", &shared.Unknown{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := contextFor(t)
			var n atomic.Int64
			f, log := batching(t, func(call api.Streams_BatchAppendServer, m *api.BatchAppendReq) (bool, error) {
				if n.Add(1) > 1 {
					return false, nil
				}
				return true, call.Send(refused(m, c.code, c.message, c.detail))
			})
			for i := range 5 {
				_, err := f.log.Append(ctx, "s", domain.Expected(i-1), event(`1`))
				require.NoError(t, err)
			}
			at, err := log.Append(ctx, "s", 4, event(`1`))
			switch want := c.want.(type) {
			case nil:
				require.NoError(t, err)
				require.Equal(t, uint64(5), at.Revision)
				require.EqualValues(t, 2, n.Load())
				return
			case *domain.ConflictError:
				var got *domain.ConflictError
				require.ErrorAs(t, err, &got)
				require.Equal(t, want, got)
			default:
				if status.Code(want) != codes.Unknown {
					require.Equal(t, status.Code(want), status.Code(err))
				} else {
					require.ErrorIs(t, err, want)
				}
			}
			require.EqualValues(t, 1, n.Load())
		})
	}
}

func TestACallThatEndsLeavesItsBatchesInDoubtAndTheyAreSentAgain(t *testing.T) {
	t.Parallel()
	const callers = 20
	for name, written := range map[string]bool{"written": true, "not written": false} {
		for why, end := range map[string]error{
			"not the leader any more": status.Error(codes.NotFound, "Leader info available"),
			"killed":                  status.Error(codes.Unavailable, "Connection dropped"),
			"stopped":                 status.Error(codes.Internal, "server closed the stream without sending trailers"),
			"ended by the server":     nil,
		} {
			t.Run(name+", "+why, func(t *testing.T) {
				t.Parallel()
				ctx := contextFor(t)
				var n atomic.Int64
				var f *fakeServer
				f, log := batching(t, func(call api.Streams_BatchAppendServer, m *api.BatchAppendReq) (bool, error) {
					seen := n.Add(1)
					if seen > callers {
						return false, nil
					}
					if written {
						f.appendBatch(ctx, m)
					}
					if seen < callers {
						return true, nil
					}
					if status.Code(end) == codes.NotFound {
						call.SetTrailer(metadata.Pairs("exception", "not-leader"))
					}
					if end == nil {
						return true, errAnswered
					}
					return true, end
				}, func(c *Config) { c.AppendConnections = 1 })
				serve := f.onBatch
				f.hook(func(f *fakeServer) {
					f.onBatch = func(call api.Streams_BatchAppendServer) error {
						if err := serve(call); err != errAnswered {
							return err
						}
						return nil
					}
				})
				var all sync.WaitGroup
				for i := range callers {
					all.Go(func() {
						at, err := log.Append(ctx, fmt.Sprint("s-", i), domain.NoStream, event(`1`))
						if err != nil || at.Revision != 0 {
							t.Errorf("append %d: %v %v", i, at, err)
						}
					})
				}
				all.Wait()
				require.EqualValues(t, 2*callers, n.Load(), "each once more")
				for i := range callers {
					require.Len(t, collect(t, log.ReadStream(ctx, fmt.Sprint("s-", i), 0)), 1)
				}
			})
		}
	}
}

// TestRepeatsOnAStreamGoOneAtATime cuts off batches that build on each other. Sent again all at
// once, the later could overtake the earlier and be refused.
func TestRepeatsOnAStreamGoOneAtATime(t *testing.T) {
	t.Parallel()
	const depth = 8
	ctx, n, inFlight := contextFor(t), 0, 0
	var mu sync.Mutex
	f := newFakeServer(t)
	first := make(chan struct{}, depth)
	f.hook(func(f *fakeServer) {
		f.onBatch = func(call api.Streams_BatchAppendServer) error {
			for {
				m, err := call.Recv()
				if err != nil {
					return err
				}
				mu.Lock()
				n++
				inFlight++
				seen, now := n, inFlight
				mu.Unlock()
				if seen <= depth {
					if first <- struct{}{}; seen == depth {
						mu.Lock()
						inFlight = 0
						mu.Unlock()
						return status.Error(codes.Unavailable, "gone")
					}
					continue
				}
				if now != 1 {
					t.Errorf("%d repeats are under way at once", now)
				}
				answer := f.appendBatch(ctx, m)
				mu.Lock()
				inFlight--
				mu.Unlock()
				if err := call.Send(answer); err != nil {
					return err
				}
			}
		}
	})
	log := open(t, f.connection())
	var all sync.WaitGroup
	for i := range depth {
		all.Go(func() {
			if _, err := log.Append(ctx, "s", domain.Expected(i-1), event(fmt.Sprint(i))); err != nil {
				t.Errorf("append %d: %v", i, err)
			}
		})
		<-first // so that they are sent in order
	}
	all.Wait()
	got := collect(t, log.ReadStream(ctx, "s", 0))
	require.Len(t, got, depth)
	for i, e := range got {
		require.Equal(t, fmt.Sprint(i), string(e.Data))
	}
}

func TestIdenticalAppendsAreNeverUnderWayAtOnce(t *testing.T) {
	t.Parallel()
	for name, batches := range map[string]bool{"calls": false, "batches": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := contextFor(t)
			var mu sync.Mutex
			under, most := 0, 0
			count := func(by int) {
				mu.Lock()
				defer mu.Unlock()
				under += by
				most = max(most, under)
			}
			f := newFakeServer(t)
			slow := func() {
				count(1)
				// long enough for the others to come, if they would
				time.Sleep(10 * time.Millisecond)
				count(-1)
			}
			f.hook(func(f *fakeServer) {
				f.onAppend = func(api.Streams_AppendServer) error { slow(); return nil }
				if batches {
					f.onBatch = func(call api.Streams_BatchAppendServer) error {
						for {
							m, err := call.Recv()
							if err != nil {
								return err
							}
							go func() { slow(); _ = call.Send(f.appendBatch(ctx, m)) }()
						}
					}
				}
			})
			log := open(t, f.connection())
			events := []domain.NewEvent{event(`1`), event(`2`)}
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() {
					at, err := log.Append(ctx, "s", domain.NoStream, events...)
					if err != nil || at.Revision != 1 {
						t.Errorf("%v %v", at, err)
					}
				})
			}
			all.Wait()
			require.Equal(t, 1, most)
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err := log.Append(ended, "s", domain.NoStream, events...)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

func TestAServerWithoutBatchesGetsCalls(t *testing.T) {
	t.Parallel()
	ctx := contextFor(t)
	f := newFakeServer(t)
	log := open(t, f.connection())
	for i := range 3 {
		_, err := log.Append(ctx, "s", domain.Expected(i-1), event(`1`))
		require.NoError(t, err)
	}
	f.hook(func(f *fakeServer) { // it says that it has them, and has not
		f.onBatch = func(api.Streams_BatchAppendServer) error { return status.Error(codes.Unimplemented, "no such method") }
	})
	_, err := open(t, f.connection()).Append(ctx, "s", 2, event(`1`))
	require.NoError(t, err)
}

func TestASilentBatchIsSentAgainOnAnotherConnection(t *testing.T) {
	t.Parallel()
	ctx := contextFor(t)
	var n atomic.Int64
	f, log := batching(t, func(api.Streams_BatchAppendServer, *api.BatchAppendReq) (bool, error) {
		return n.Add(1) == 1, nil
	}, func(c *Config) { c.AttemptTimeout = 500 * time.Millisecond })
	_, err := log.Append(ctx, "s", domain.NoStream, event(`1`))
	require.NoError(t, err)
	require.GreaterOrEqual(t, n.Load(), int64(2))
	require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 1)
	require.GreaterOrEqual(t, f.accepted.Load(), int64(2))
}

func TestACallerThatGivesUpLeavesTheOthersTheirCall(t *testing.T) {
	t.Parallel()
	ctx := contextFor(t)
	seen := make(chan *api.BatchAppendReq, 2)
	var calls atomic.Int64
	var f *fakeServer
	f, log := batching(t, func(call api.Streams_BatchAppendServer, m *api.BatchAppendReq) (bool, error) {
		if string(m.GetOptions().GetStreamIdentifier().GetStreamName()) == "slow" {
			seen <- m
			return true, nil
		}
		return false, nil
	}, func(c *Config) { c.AppendConnections = 1 })
	serve := f.onBatch
	f.hook(func(f *fakeServer) {
		f.onBatch = func(call api.Streams_BatchAppendServer) error { calls.Add(1); return serve(call) }
	})
	impatient, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		_, err := log.Append(impatient, "slow", domain.AnyRevision, event(`1`))
		failed <- err
	}()
	<-seen
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	_, err := log.Append(ctx, "quick", domain.AnyRevision, event(`1`))
	require.NoError(t, err)
	require.EqualValues(t, 1, calls.Load())
}

func TestBatchCallsHaveConnectionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	ctx := contextFor(t)
	f, log := batching(t, nil, func(c *Config) { c.AppendConnections = 1 })
	_, err := log.Append(ctx, "s", domain.NoStream, event(`1`))
	require.NoError(t, err)
	require.Equal(t, int64(1), f.accepted.Load())
	require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 1)
	require.Equal(t, int64(2), f.accepted.Load(), "reads do not share the batches' connection")
}

func TestBatchCallsThatAreCutOffLeakNothing(t *testing.T) { // not parallel: it counts goroutines
	ctx := contextFor(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	f, log := batching(t, nil)
	for i := range 50 {
		_, err := log.Append(ctx, "s", domain.Expected(i-1), event(`1`))
		require.NoError(t, err)
		f.stop()
		f.start()
	}
	require.NoError(t, log.Close())
	_, err := log.Append(ctx, "s", 49, event(`1`))
	require.ErrorIs(t, err, domain.ErrClosed)
	f.stop()
}

func TestTheClearlyFasterWayIsTaken(t *testing.T) {
	t.Parallel()
	appends := func(w *ways, n int, times [2]time.Duration) (counts [2]int) {
		for range n {
			by := w.choose(true)
			counts[by]++
			w.took(by, times[by])
		}
		return counts
	}
	var w ways
	alike := appends(&w, 200_000, [2]time.Duration{batched: 5 * time.Millisecond, unary: 4500 * time.Microsecond})
	require.Greater(t, alike[batched], 195_000, "what is a little slower costs less")
	require.Positive(t, alike[unary])
	slow := appends(&w, 400_000, [2]time.Duration{batched: 6 * time.Millisecond, unary: 4 * time.Millisecond})
	require.Greater(t, slow[unary], 200_000)
	again := appends(&w, 400_000, [2]time.Duration{batched: 4 * time.Millisecond, unary: 40 * time.Millisecond})
	require.Greater(t, again[batched], 200_000)
	for range 1000 {
		require.Equal(t, w.current, w.choose(false), "what has company on its stream overtakes nothing")
	}
	w.refuse()
	require.Equal(t, unary, w.choose(true))
}

func TestAnEventThatCannotBeWrittenHurtsOnlyItself(t *testing.T) {
	t.Parallel()
	ctx := contextFor(t)
	_, log := batching(t, nil)
	bad := event(`1`)
	bad.Type = "not UTF-8: \xff"
	_, err := log.Append(ctx, "s", domain.NoStream, bad)
	require.ErrorContains(t, err, "not UTF-8")
	_, err = log.Append(ctx, "$$", domain.AnyRevision, event(`1`))
	require.ErrorContains(t, err, "can't be called $$")
	_, err = log.Append(ctx, "s", domain.NoStream, event(`1`))
	require.NoError(t, err)
}
