package eventstoredb

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// TestALogWithoutAMajoritySaysSo has a server that answers reads and keeps subscriptions open as if
// nothing had happened, while appends hang (scenario J5): only appends tell.
func TestALogWithoutAMajoritySaysSo(t *testing.T) {
	t.Parallel()
	for name, batches := range map[string]bool{"calls": false, "batches": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, inMemory := inMemory(t)
				log := open(t, f.connection(), inMemory)
				if batches {
					f.hook(func(f *fakeServer) { f.onBatch = f.serveBatches(nil) })
				}
				ctx, cancel := context.WithCancel(t.Context())
				_, err := log.Append(ctx, "s", domain.NoStream, event(`0`))
				require.NoError(t, err)
				require.Zero(t, log.Silence())
				time.Sleep(time.Hour) // nobody appends, so nothing is known, and nothing is wrong
				require.Zero(t, log.Silence())

				var hang atomic.Bool
				hang.Store(true)
				f.hook(func(f *fakeServer) {
					f.onAppend = func(call api.Streams_AppendServer) error {
						if hang.Load() {
							<-call.Context().Done()
						}
						return nil
					}
					if batches {
						f.onBatch = f.serveBatches(func(api.Streams_BatchAppendServer, *api.BatchAppendReq) (bool, error) { return hang.Load(), nil })
					}
				})
				f.stop() // the call that is open has the old hook
				f.start()
				done := make(chan error, 1)
				go func() {
					_, err := log.Append(ctx, "s", 0, event(`1`))
					done <- err
				}()
				time.Sleep(1100 * time.Millisecond)
				require.Greater(t, log.Silence(), time.Second, "known within a second or so")
				require.Len(t, collect(t, log.ReadStream(ctx, "s", 0)), 1, "reads go on")
				require.Greater(t, log.Silence(), time.Second, "and say nothing")
				require.NoError(t, log.Health(ctx), "an election is no reason to be called unready")
				time.Sleep(time.Second)
				require.ErrorContains(t, log.Health(ctx), "no append was answered")
				hang.Store(false)
				require.NoError(t, <-done)
				require.Zero(t, log.Silence())
				require.NoError(t, log.Health(ctx))
				cancel()
				require.NoError(t, log.Close())
				f.stop()
				require.NoError(t, f.log.Close())
			})
		})
	}
}

func TestSilenceIsOfAllAppendsTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s silence
		require.Zero(t, s.told())
		s.ask()
		time.Sleep(3 * time.Second)
		require.Equal(t, 3*time.Second, s.told())
		s.ask()
		s.end(true)
		time.Sleep(time.Second)
		require.Equal(t, time.Second, s.told(), "one that is dropped as a repeat says nothing of the log")
		s.end(false)
		require.Equal(t, time.Second, s.told(), "giving up is no answer")
		time.Sleep(time.Second)
		s.ask()
		require.Equal(t, 2*time.Second, s.told(), "and who asks again does not make it forgotten")
		s.end(false)
		time.Sleep(silenceKept + time.Second)
		require.Zero(t, s.told(), "after a while nobody knows")
		s.ask()
		require.Zero(t, s.told())
		s.end(true)
		require.Zero(t, s.told())
	})
}

// TestWhatIsSaidOfACancelledCallSaysNothing has a server that answers every cancelled or timed-out
// call with "access denied".
func TestWhatIsSaidOfACancelledCallSaysNothing(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	var n atomic.Int64
	denied := func(call interface{ SetTrailer(metadata.MD) }) error {
		call.SetTrailer(metadata.Pairs("exception", "access-denied"))
		return status.Error(codes.PermissionDenied, "Access Denied")
	}
	f.hook(func(f *fakeServer) {
		f.onAppend = func(call api.Streams_AppendServer) error {
			if n.Add(1) > 1 {
				return nil
			}
			_, bounded := call.Context().Deadline()
			require.False(t, bounded, "the server knows of no deadline, so it can't speak of it before this side does")
			<-call.Context().Done()
			return denied(call)
		}
		f.onRead = func(_ *api.ReadReq, call api.Streams_ReadServer) (bool, error) {
			<-call.Context().Done()
			return true, denied(call)
		}
	})
	log := open(t, f.connection(), func(c *Config) { c.AttemptTimeout = 50 * time.Millisecond })
	_, err := log.Append(contextFor(t), "s", domain.NoStream, event(`1`))
	require.NoError(t, err, "the attempt that timed out is made again")
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		for _, err := range log.ReadStream(ctx, "s", 0) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, domain.ErrAccessDenied)
		}
		for _, err := range log.Subscribe(ctx, 0, domain.Filter{}) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, domain.ErrAccessDenied)
		}
		cancel()
	}
}

func TestATopicsStreamIsNotTheServers(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	log := open(t, f.connection())
	for _, topic := range []string{"$$", "$users", "$et-x", "$all", "$", ""} {
		pub, err := NewPublisher(log, PublisherConfig{})
		require.NoError(t, err)
		require.ErrorContains(t, pub.Publish(topic, message.NewMessage("1", nil)), "does not begin with $", topic)
		pub, err = NewPublisher(log, PublisherConfig{Stream: func(string) string { return topic }})
		require.NoError(t, err)
		require.ErrorContains(t, pub.Publish("good", message.NewMessage("1", nil)), "does not begin with $", topic)
		if topic == AllStreams {
			continue
		}
		sub, err := NewSubscriber(log, SubscriberConfig{Group: "g", Stream: func(string) string { return topic }})
		require.NoError(t, err)
		_, err = sub.Subscribe(contextFor(t), "good")
		require.ErrorContains(t, err, "does not begin with $", topic)
		require.ErrorContains(t, sub.SubscribeInitialize("good"), "does not begin with $", topic)
	}
	require.Empty(t, collect(t, f.log.ReadAll(contextFor(t), 0, domain.Filter{})))
	require.Empty(t, f.creates)
}
