package eventstoredb

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// confirmation and the like are messages of a subscription.
func confirmation() *api.ReadResp {
	return &api.ReadResp{Content: &api.ReadResp_Confirmation{Confirmation: &api.ReadResp_SubscriptionConfirmation{SubscriptionId: "s"}}}
}

func checkpoint(at uint64) *api.ReadResp {
	return &api.ReadResp{Content: &api.ReadResp_Checkpoint_{Checkpoint: &api.ReadResp_Checkpoint{CommitPosition: at, PreparePosition: at}}}
}

func caughtUp() *api.ReadResp {
	return &api.ReadResp{Content: &api.ReadResp_CaughtUp_{CaughtUp: &api.ReadResp_CaughtUp{}}}
}

// recorded is an event of the stream on the wire.
func recorded(stream string, revision uint64, at domain.Position) *api.ReadResp {
	return sendEvent(domain.Recorded{NewEvent: event(`{}`), Stream: stream, Revision: revision, Position: at})
}

// answering lets the fake answer each Read by the messages that answer returns, and then end it; a
// subscription stays open.
func answering(answer func(*api.ReadReq_Options) ([]*api.ReadResp, error)) func(*api.ReadReq, api.Streams_ReadServer) (bool, error) {
	return func(request *api.ReadReq, call api.Streams_ReadServer) (bool, error) {
		messages, err := answer(request.GetOptions())
		for _, m := range messages {
			if err := call.Send(m); err != nil {
				return true, err
			}
		}
		if err == nil && request.GetOptions().GetSubscription() != nil {
			<-call.Context().Done()
		}
		return true, err
	}
}

func TestACheckpointOfNowhereIsNoProgress(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		f.onRead = answering(func(*api.ReadReq_Options) ([]*api.ReadResp, error) {
			return []*api.ReadResp{confirmation(), checkpoint(math.MaxUint64), checkpoint(1 << 63), caughtUp(), recorded("run-a", 0, 10505),
				checkpoint(99), checkpoint(20000), recorded("run-a", 1, 30000)}, nil
		})
	})
	var got []domain.Position
	for d, err := range open(t, f.connection()).Subscribe(ctx, 0, domain.Filter{Prefixes: []string{"run-"}}) {
		require.NoError(t, err)
		if got = append(got, d.Position); d.Position == 30000 {
			break
		}
	}
	require.Equal(t, []domain.Position{0, 10505, 20000, 30000}, got, "nowhere, and backward, is no progress")
}

func TestASubscriptionWithoutProgressIsMadeAnew(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	var asked []uint64
	f.hook(func(f *fakeServer) {
		f.onRead = answering(func(o *api.ReadReq_Options) ([]*api.ReadResp, error) {
			asked = append(asked, o.GetAll().GetPosition().GetCommitPosition())
			switch len(asked) {
			case 1:
				return []*api.ReadResp{confirmation(), checkpoint(math.MaxUint64), caughtUp(), recorded("run-a", 0, 500)}, nil
			case 2:
				return []*api.ReadResp{confirmation(), checkpoint(math.MaxUint64), caughtUp()}, nil
			}
			return []*api.ReadResp{confirmation(), checkpoint(7000), caughtUp()}, nil
		})
	})
	log := open(t, f.connection(), func(c *Config) { c.ProgressEvery = 20 * time.Millisecond })
	for d, err := range log.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{"run-"}}) {
		require.NoError(t, err)
		if d.Position == 7000 {
			break
		}
	}
	require.Equal(t, []uint64{0, 500, 500}, asked, "each call goes on after what was delivered")
}

func TestAnEventWithoutAPlaceEndsAReadingOfAll(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		f.onRead = answering(func(o *api.ReadReq_Options) ([]*api.ReadResp, error) {
			return []*api.ReadResp{recorded("run-a", 4, domain.EndPosition)}, nil
		})
	})
	log := open(t, f.connection())
	for _, err := range log.ReadAll(ctx, 0, domain.Filter{}) {
		require.ErrorContains(t, err, "without a position")
	}
	for _, err := range log.Subscribe(ctx, 0, domain.Filter{}) {
		require.ErrorContains(t, err, "without a position")
	}
	got := collect(t, log.ReadStream(ctx, "run-a", 4))
	require.Len(t, got, 1)
	require.Zero(t, got[0].Position, "a stream is read all the same")
}

// lagging is a fake whose reads hide revisions from a stream for a number of reads.
func lagging(f *fakeServer, shown func(stream string) int) {
	f.hook(func(f *fakeServer) {
		f.onRead = func(request *api.ReadReq, call api.Streams_ReadServer) (bool, error) {
			o := request.GetOptions()
			if o.GetStream() == nil {
				return false, nil
			}
			stream := string(o.GetStream().GetStreamIdentifier().GetStreamName())
			n := shown(stream)
			read := f.log.ReadStream(call.Context(), stream, o.GetStream().GetRevision())
			if o.GetReadDirection() == api.ReadReq_Options_Backwards {
				from := domain.End
				if o.GetStream().GetEnd() == nil {
					from = o.GetStream().GetRevision()
				}
				read = f.log.ReadStreamBackward(call.Context(), stream, from)
			}
			sent := 0
			for e, err := range read {
				if err != nil {
					return true, err
				}
				if int(e.Revision) < n {
					sent++
					if err := call.Send(sendEvent(e)); err != nil {
						return true, err
					}
				}
			}
			if sent == 0 {
				return true, call.Send(&api.ReadResp{Content: &api.ReadResp_StreamNotFound_{StreamNotFound: &api.ReadResp_StreamNotFound{StreamIdentifier: o.GetStream().GetStreamIdentifier()}}})
			}
			return true, nil
		}
	})
}

// laggingFor hides all but the first n events for so many reads.
func laggingFor(f *fakeServer, n, reads int) {
	lagging(f, func(string) int {
		if reads--; reads >= 0 {
			return n
		}
		return math.MaxInt
	})
}

func revisions(events []domain.Recorded) []uint64 {
	out := make([]uint64, 0, len(events))
	for _, e := range events {
		out = append(out, e.Revision)
	}
	return out
}

func TestReadsWaitForWhatThisProcessWasTold(t *testing.T) {
	t.Parallel()
	foreign := func(f *fakeServer, n int) { // somebody else's appends
		for i := range n {
			_, err := f.log.Append(context.Background(), "s", domain.Expected(i-1), event(`{}`))
			require.NoError(t, err)
		}
	}
	ways := map[string]func(*testing.T, *fakeServer, *Log, context.Context){
		"by a conflict": func(t *testing.T, f *fakeServer, log *Log, ctx context.Context) {
			foreign(f, 4)
			_, err := log.Append(ctx, "s", 0, event(`{}`))
			require.ErrorIs(t, err, domain.ErrConflict)
		},
		"by a conflict of a batch": func(t *testing.T, f *fakeServer, log *Log, ctx context.Context) {
			f.hook(func(f *fakeServer) { f.onBatch = f.serveBatches(nil) })
			foreign(f, 4)
			_, err := log.Append(ctx, "s", 0, event(`{}`))
			require.ErrorIs(t, err, domain.ErrConflict)
		},
		"by an acknowledgement": func(t *testing.T, f *fakeServer, log *Log, ctx context.Context) {
			_, err := log.Append(ctx, "s", domain.NoStream, event(`{}`), event(`{}`), event(`{}`), event(`{}`))
			require.NoError(t, err)
		},
		"by a subscription": func(t *testing.T, f *fakeServer, log *Log, ctx context.Context) {
			foreign(f, 4)
			for d, err := range log.Subscribe(ctx, 0, domain.Filter{}) {
				require.NoError(t, err)
				if d.Event != nil && d.Event.Revision == 3 {
					break
				}
			}
		},
	}
	for name, tell := range ways {
		for _, shown := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s, %d events shown", name, shown), func(t *testing.T) {
				t.Parallel()
				f, ctx := newFakeServer(t), contextFor(t)
				log := open(t, f.connection())
				tell(t, f, log, ctx)
				laggingFor(f, shown, 5)
				require.Equal(t, []uint64{0, 1, 2, 3}, revisions(collect(t, log.ReadStream(ctx, "s", 0))))
				laggingFor(f, shown, 5)
				require.Equal(t, []uint64{3}, revisions(collect(t, log.ReadStream(ctx, "s", 3))))
				laggingFor(f, shown, 5)
				require.Equal(t, []uint64{3, 2, 1, 0}, revisions(collect(t, log.ReadStreamBackward(ctx, "s", domain.End))))
				laggingFor(f, shown, 5)
				require.Equal(t, []uint64{2, 1, 0}, revisions(collect(t, log.ReadStreamBackward(ctx, "s", 2))))
				laggingFor(f, 0, math.MaxInt)
				require.Empty(t, collect(t, log.ReadStream(ctx, "s", 4)), "nothing was told of what comes after")
				require.Empty(t, collect(t, log.ReadStream(ctx, "other", 0)))
			})
		}
	}
}

func TestWhatNeverShowsIsAnErrorOnceAndThenForgotten(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection(), func(c *Config) { c.LagTimeout = 50 * time.Millisecond })
	_, err := log.Append(ctx, "s", domain.NoStream, event(`{}`), event(`{}`))
	require.NoError(t, err)
	laggingFor(f, 1, math.MaxInt) // the leader that told of it is dead, and it was lost with it
	var last error
	for _, err := range log.ReadStream(ctx, "s", 0) {
		last = err
	}
	require.ErrorContains(t, last, "told of revision 1")
	require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 1)
	require.Len(t, collect(t, log.ReadStreamBackward(ctx, "s", domain.End)), 1)
}

func TestAStreamThatWasCutOffIsReadAsItIs(t *testing.T) {
	t.Parallel()
	for _, rules := range []string{`{"$tb":9223372036854775807}`, `{"$tb":3}`, `{"$maxAge":10}`, `{"$maxCount":3}`} {
		t.Run(rules, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFakeServer(t), contextFor(t)
			log := open(t, f.connection())
			_, err := log.Append(ctx, "s", domain.NoStream, event(`{}`), event(`{}`))
			require.NoError(t, err)
			_, err = f.log.Append(ctx, "$$s", domain.NoStream, event(rules))
			require.NoError(t, err)
			lagging(f, func(stream string) int {
				if stream == "s" {
					return 0
				}
				return math.MaxInt
			})
			require.Empty(t, collect(t, log.ReadStream(ctx, "s", 0)))
			require.NoError(t, func() error { _, err := log.Append(ctx, "s", 1, event(`{}`)); return err }())
			require.Empty(t, collect(t, log.ReadStreamBackward(ctx, "s", domain.End)))
		})
	}
}

func TestAPositionThatIsNoRecordsIsBadInput(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		f.onRead = answering(func(o *api.ReadReq_Options) ([]*api.ReadResp, error) {
			switch at := o.GetAll().GetPosition().GetCommitPosition(); {
			case o.GetNoFilter() != nil:
				return []*api.ReadResp{recorded("$stats", 1, 5000)}, nil
			case o.GetSubscription() != nil:
				return []*api.ReadResp{confirmation()}, status.Error(codes.InvalidArgument, "Trying to read from an invalid position.")
			case at > 5000:
				return nil, status.Error(codes.Unknown, "Unexpected FilteredReadAllResult: Error")
			}
			return nil, status.Error(codes.Unknown, "Unexpected FilteredReadAllResult: InvalidPosition")
		})
	})
	log := open(t, f.connection())
	filter := domain.Filter{Prefixes: []string{"run-"}}
	for name, read := range map[string]func(domain.Position) error{
		"subscribe": func(p domain.Position) error {
			for _, err := range log.Subscribe(ctx, p, filter) {
				return err
			}
			return nil
		},
		"read": func(p domain.Position) error {
			for _, err := range log.ReadAll(ctx, p, filter) {
				return err
			}
			return nil
		},
		"backward": func(p domain.Position) error {
			for _, err := range log.ReadAllBackward(ctx, p, filter) {
				return err
			}
			return nil
		},
	} {
		require.ErrorIs(t, read(1234), domain.ErrBadPosition, name)
		require.ErrorContains(t, read(1234), "1234", name)
		require.ErrorIs(t, read(domain.Position(1<<63)), domain.ErrBadPosition, name)
		if name == "backward" {
			require.ErrorIs(t, read(6000), domain.ErrBadPosition)
			require.ErrorContains(t, read(6000), "ends at position 5000")
		}
	}
}

func TestTheEndOfTheLogIsTheLeadersWord(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection()+"&nodePreference=follower")
	end := []*api.ReadResp{recorded("$et-x", 1, 12481)}
	f.hook(func(f *fakeServer) {
		f.onRead = answering(func(o *api.ReadReq_Options) ([]*api.ReadResp, error) {
			require.NotNil(t, o.GetAll().GetEnd())
			require.NotNil(t, o.GetNoFilter(), "the server's own events count")
			require.Equal(t, api.ReadReq_Options_Backwards, o.GetReadDirection())
			return end, nil
		})
	})
	last, err := log.LastPosition(ctx)
	require.NoError(t, err)
	require.Equal(t, domain.Position(12481), last)
	require.Equal(t, []string{"true"}, (<-f.noted).Get("requires-leader"))
	end = nil
	last, err = log.LastPosition(ctx)
	require.NoError(t, err)
	require.Zero(t, last)
}

func TestAFailureThatNobodyCanExplainIsRepeatedAFewTimes(t *testing.T) {
	t.Parallel()
	threw := status.Error(codes.Unknown, "Exception was thrown by handler.")
	for _, failures := range []int{3, math.MaxInt} {
		f, ctx := newFakeServer(t), contextFor(t)
		log := open(t, f.connection())
		n := 0
		fail := func() error {
			if n++; n <= failures {
				return threw
			}
			return nil
		}
		f.hook(func(f *fakeServer) {
			f.onAppend = func(api.Streams_AppendServer) error { return fail() }
			f.onRead = func(*api.ReadReq, api.Streams_ReadServer) (bool, error) { err := fail(); return err != nil, err }
		})
		check := func(err error) {
			t.Helper()
			if failures == 3 {
				require.NoError(t, err)
				require.Greater(t, f.accepted.Load(), int64(1), "on a connection that may be to blame nothing more is asked")
			} else {
				require.Equal(t, codes.Unknown, status.Code(err))
				require.Equal(t, puzzles+1, n)
			}
			n = 0
		}
		_, err := log.Append(ctx, "run-1", domain.AnyRevision, event(`{}`))
		check(err)
		err = nil
		for _, e := range log.ReadStream(ctx, "run-2", 0) {
			err = e
		}
		check(err)
		for d, e := range log.Subscribe(ctx, 0, domain.Filter{}) {
			if err = e; d.CaughtUp {
				break
			}
		}
		check(err)
	}
}
