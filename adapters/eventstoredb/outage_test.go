package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// inMemory returns a server reached through memory, so that it works on a test's own
// clock, and the option that dials it. It is stopped by the test.
func inMemory(t *testing.T) (*fakeServer, func(*Config)) {
	f := &fakeServer{t: t, log: memlog.New(), address: "127.0.0.1:2113", noted: make(chan metadata.MD, 1000)}
	var mu sync.Mutex
	var current *bufconn.Listener
	f.listen = func() net.Listener {
		mu.Lock()
		defer mu.Unlock()
		current = bufconn.Listen(1 << 16)
		return current
	}
	f.start()
	dial := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		mu.Lock()
		l := current
		mu.Unlock()
		return l.DialContext(ctx)
	})
	return f, func(c *Config) {
		c.DialOptions = []grpc.DialOption{dial}
		c.RetryInitial, c.RetryMax = 0, 0
	}
}

func TestAnOutageOfAMinuteThenAllGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, inMemory := inMemory(t)
		log := open(t, f.connection(), inMemory)
		ctx, cancel := context.WithCancel(t.Context())
		seen := make(chan uint64, 100)
		subscribed := make(chan struct{})
		go func() {
			defer close(subscribed)
			for d, err := range log.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{"run-"}}) {
				if err == nil && d.Event != nil {
					seen <- d.Event.Revision
				}
			}
		}()
		_, err := log.Append(ctx, "run-1", domain.NoStream, event(`0`))
		require.NoError(t, err)
		require.Equal(t, uint64(0), <-seen)
		pub, sub := newPubSub(t, log, SubscriberConfig{})
		messages, err := sub.Subscribe(ctx, "work")
		require.NoError(t, err)

		f.stop()
		began := time.Now()
		impatient, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		_, err = log.Append(impatient, "other", domain.NoStream, event(`x`))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(began), "no caller hangs past its context")
		patient := make(chan error, 1)
		read := make(chan int, 1)
		go func() {
			_, err := log.Append(ctx, "run-1", 0, event(`1`))
			patient <- err
		}()
		go func() {
			n := 0
			for _, err := range log.ReadStream(ctx, "run-1", 0) {
				if err == nil {
					n++
				}
			}
			read <- n
		}()
		time.Sleep(time.Minute) // on the test's own clock
		require.Empty(t, patient)
		f.start()
		require.NoError(t, <-patient)
		require.Positive(t, <-read)
		require.Equal(t, uint64(1), <-seen)
		require.NoError(t, log.Health(ctx))
		require.NoError(t, pub.Publish("work", message.NewMessage("m", nil)))
		(<-messages).Ack()
		cancel()
		<-subscribed
		closeAll(t, f, log, pub, sub)
		require.NoError(t, f.log.Close())
	})
}

func TestAHundredReconnectsLeakNothing(t *testing.T) { // not parallel: it counts goroutines
	f, ctx := newFakeServer(t), contextFor(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	log := open(t, f.connection())
	const drops = 100
	next := make(chan struct{})
	ended := make(chan error, 1)
	var got []uint64
	subscription, cancel := context.WithCancel(ctx)
	go func() {
		var last error
		for d, err := range log.Subscribe(subscription, 0, domain.Filter{Prefixes: []string{"run-"}}) {
			if last = err; err == nil && d.Event != nil {
				got = append(got, d.Event.Revision)
				next <- struct{}{}
			}
		}
		ended <- last
	}()
	want := make([]uint64, 0, drops)
	for i := range drops {
		_, err := log.Append(ctx, "run-1", domain.Expected(i-1), event(fmt.Sprint(i)))
		require.NoError(t, err)
		select {
		case <-next:
		case err := <-ended:
			require.NoError(t, err, "the subscription ended")
		}
		want = append(want, uint64(i))
		f.stop() // breaks the subscription and every other connection
		f.start()
	}
	require.Len(t, collect(t, log.ReadStream(ctx, "run-1", 0)), drops)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Equal(t, want, got, "no gap and no duplicate over the drops")
	require.NoError(t, log.Close())
	f.stop()
}

func TestReadsGoOnWhereTheyBroke(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	const total = 40
	for i := range total {
		_, err := log.Append(ctx, "run-1", domain.Expected(i-1), event(fmt.Sprint(i)))
		require.NoError(t, err)
	}
	f.hook(func(f *fakeServer) {
		f.onRead = func(request *api.ReadReq, call api.Streams_ReadServer) (bool, error) {
			o := request.GetOptions()
			read := f.log.ReadStream(ctx, "run-1", o.GetStream().GetRevision())
			backward := o.GetReadDirection() == api.ReadReq_Options_Backwards
			switch {
			case o.GetStream() == nil && backward:
				before := domain.EndPosition
				if p := o.GetAll().GetPosition(); p != nil {
					before = domain.Position(p.GetCommitPosition())
				}
				read = f.log.ReadAllBackward(ctx, before, domain.Filter{})
			case o.GetStream() == nil:
				read = f.readAllFrom(ctx, domain.Position(o.GetAll().GetPosition().GetCommitPosition()), domain.Filter{})
			case backward && o.GetStream().GetEnd() != nil:
				read = f.log.ReadStreamBackward(ctx, "run-1", domain.End)
			case backward:
				read = f.log.ReadStreamBackward(ctx, "run-1", o.GetStream().GetRevision())
			}
			sent := 0
			for e, err := range read {
				if err != nil || sent == 7 {
					return true, errors.Join(err, status.Error(codes.Unavailable, "a node went away"))
				}
				if err := call.Send(sendEvent(e)); err != nil {
					return true, err
				}
				sent++
			}
			return true, nil
		}
	})
	forward := func(events []domain.Recorded) {
		require.Len(t, events, total)
		for i, e := range events {
			require.Equal(t, uint64(i), e.Revision)
		}
	}
	backward := func(events []domain.Recorded) {
		require.Len(t, events, total)
		for i, e := range events {
			require.Equal(t, uint64(total-1-i), e.Revision)
		}
	}
	forward(collect(t, log.ReadStream(ctx, "run-1", 0)))
	forward(collect(t, log.ReadAll(ctx, 0, domain.Filter{})))
	backward(collect(t, log.ReadStreamBackward(ctx, "run-1", domain.End)))
	backward(collect(t, log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{})))
}

// notLeader answers as a follower does that was asked for the leader.
func notLeader(leader *fakeServer) func(api.Streams_AppendServer) error {
	return func(call api.Streams_AppendServer) error {
		host, port, _ := net.SplitHostPort(leader.address)
		call.SetTrailer(metadata.Pairs("exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", port))
		return status.Error(codes.NotFound, "Leader info available")
	}
}

func TestAppendsFollowTheLeader(t *testing.T) {
	t.Parallel()
	a, b, ctx := newFakeServer(t), newFakeServer(t), contextFor(t)
	for _, f := range []*fakeServer{a, b} {
		f.hook(func(f *fakeServer) {
			f.members = []*gossip.MemberInfo{member(gossip.MemberInfo_Leader, a.address), member(gossip.MemberInfo_Follower, b.address)}
		})
	}
	log := open(t, "esdb://"+b.address+","+a.address+"?tls=false")
	_, err := log.Append(ctx, "s", domain.NoStream, event(`1`))
	require.NoError(t, err)
	require.Len(t, collect(t, a.log.ReadStream(ctx, "s", 0)), 1, "gossip names a as the leader")

	// b was elected; gossip does not know yet
	a.hook(func(f *fakeServer) { f.onAppend = notLeader(b) })
	_, err = log.Append(ctx, "s", domain.NoStream, event(`2`))
	require.NoError(t, err)
	require.Len(t, collect(t, b.log.ReadStream(ctx, "s", 0)), 1)

	for _, f := range []*fakeServer{a, b} {
		f.hook(func(f *fakeServer) {
			f.members = []*gossip.MemberInfo{member(gossip.MemberInfo_Leader, b.address)}
		})
	}
	a.stop() // and is gone
	for i := range 10 {
		_, err = log.Append(ctx, "s", domain.Expected(i), event(`3`))
		require.NoError(t, err)
	}
}

func TestASingleAddressFollowsTheLeaderToo(t *testing.T) {
	t.Parallel()
	a, b, ctx := newFakeServer(t), newFakeServer(t), contextFor(t)
	a.hook(func(f *fakeServer) { f.onAppend = notLeader(b) })
	log := open(t, a.connection(), func(c *Config) { c.AppendConnections = 1 })
	_, err := log.Append(ctx, "s", domain.NoStream, event(`1`))
	require.NoError(t, err)
	b.stop()
	a.hook(func(f *fakeServer) { f.onAppend = nil })
	_, err = log.Append(ctx, "s", domain.NoStream, event(`2`))
	require.NoError(t, err)
	require.Len(t, collect(t, a.log.ReadStream(ctx, "s", 0)), 1, "back at the configured address")
}

func TestSubscriptionsMoveToTheNewLeader(t *testing.T) {
	t.Parallel()
	a, b, ctx := newFakeServer(t), newFakeServer(t), contextFor(t)
	b.log = a.log // two nodes of one cluster
	leads := func(leader *fakeServer) {
		for _, f := range []*fakeServer{a, b} {
			f.hook(func(f *fakeServer) {
				f.members = []*gossip.MemberInfo{member(gossip.MemberInfo_Leader, leader.address)}
			})
		}
	}
	leads(a)
	log := open(t, "esdb://"+a.address+","+b.address+"?tls=false")
	pub, sub := newPubSub(t, log, SubscriberConfig{})
	messages, err := sub.Subscribe(ctx, "work")
	require.NoError(t, err)
	seen := make(chan uint64, 10)
	subscription, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for d, err := range log.Subscribe(subscription, 0, domain.Filter{Prefixes: []string{"run-"}}) {
			if err == nil && d.Event != nil {
				seen <- d.Event.Revision
			}
		}
	}()
	for i, step := range []func(){
		func() {},
		func() { // b is elected and a is gone
			b.hook(func(b *fakeServer) { b.groups = a.groups })
			leads(b)
			a.stop()
		},
	} {
		step()
		_, err := log.Append(ctx, "run-1", domain.Expected(i-1), event(`1`))
		require.NoError(t, err)
		require.Equal(t, uint64(i), <-seen)
		require.NoError(t, pub.Publish("work", message.NewMessage(fmt.Sprint(i), nil)))
		m := next(ctx, t, messages)
		require.Equal(t, fmt.Sprint(i), m.UUID)
		m.Ack()
		g := a.groupOf("work", "g")
		require.NoError(t, g.when(ctx, func() bool { return g.acks == i+1 }), "or it comes again")
	}
	cancel()
	<-ended
}
