package eventstoredb

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// Each test here shows what the bare client v4.2.0 does, and then what this package does
// in the same place. A later client that mends a bug fails the first half: then that half
// can go. This file is longer than others because the cases are one list.

// bare returns the client as its own documentation makes it, without its log.
func bare(t testing.TB, connection string) *esdb.Client {
	t.Helper()
	cfg, err := esdb.ParseConnectionString(connection)
	require.NoError(t, err)
	cfg.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(cfg)
	require.NoError(t, err)
	return client
}

// bareAppend appends one event with the bare client.
func bareAppend(ctx context.Context, c *esdb.Client, stream string) error {
	_, err := c.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{},
		esdb.EventData{EventID: uuid.New(), EventType: "t", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)})
	return err
}

// codeOf is the client's code for the error, found through its wrapping.
func codeOf(err error) esdb.ErrorCode {
	var e *esdb.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return -1
}

// Bug 1.
func TestClientBug1RequiresLeaderIsNotSent(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	client := bare(t, f.connection()+"&nodePreference=leader")
	defer client.Close()
	require.NoError(t, bareAppend(ctx, client, "s"))
	require.Empty(t, (<-f.noted).Get("requires-leader"), "the client now sends it")

	log := open(t, f.connection()+"&nodePreference=leader")
	_, err := log.Append(ctx, "s", domain.AnyRevision, event(`1`))
	require.NoError(t, err)
	require.Equal(t, []string{"true"}, (<-f.noted).Get("requires-leader"))
	collect(t, log.ReadStream(ctx, "s", 0))
	require.Equal(t, []string{"true"}, (<-f.noted).Get("requires-leader"))

	follower := open(t, f.connection()+"&nodePreference=follower")
	_, err = follower.Append(ctx, "s", domain.AnyRevision, event(`1`))
	require.NoError(t, err)
	require.Empty(t, (<-f.noted).Get("requires-leader"))
}

// Bug 2: after about a second of outage the client is dead, and callers hang.
func TestClientBug2AnOutageIsForEverAndCallersHang(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	client := bare(t, f.connection())
	log := open(t, f.connection())
	require.NoError(t, bareAppend(ctx, client, "s"))
	_, err := log.Append(ctx, "s", domain.AnyRevision, event(`1`))
	require.NoError(t, err)
	f.stop()

	impatient, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_ = bareAppend(impatient, client, "s") // it learns of the outage
	const callers = 8
	returned := make(chan error, callers)
	ours := make(chan error, callers)
	for range callers {
		go func() { returned <- bareAppend(impatient, client, "s") }()
		go func() {
			_, err := log.Append(impatient, "s", domain.AnyRevision, event(`1`))
			ours <- err
		}()
	}
	for range callers {
		require.ErrorIs(t, <-ours, context.DeadlineExceeded)
	}
	// One caller is told that discovery ended, about a second after its context. The others wait
	// for an answer of the part that ended; no context ends that.
	dead := <-returned
	require.ErrorContains(t, dead, "maximum discovery attempt count reached")
	require.Error(t, impatient.Err())

	f.start()
	err = bareAppend(ctx, client, "s")
	require.Equal(t, esdb.ErrorCodeConnectionClosed, codeOf(err), "the client lives again after an outage: %v", err)
	require.Empty(t, returned, "callers do not hang any more")
	_, err = log.Append(ctx, "s", domain.AnyRevision, event(`1`))
	require.NoError(t, err)
}

// Bug 3, first half: each reconnect leaks the old connection.
func TestClientBug3ReconnectsLeakConnections(t *testing.T) {
	t.Parallel()
	const reconnects = 100
	unavailable := func(f *fakeServer) {
		failed := false // every second call fails, so that each is a reconnect
		f.onAppend = func(api.Streams_AppendServer) error {
			if failed = !failed; failed {
				return status.Error(codes.Unavailable, "later")
			}
			return nil
		}
	}
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(unavailable)
	client := bare(t, f.connection())
	for range reconnects {
		require.Error(t, bareAppend(ctx, client, "s"))
		require.NoError(t, bareAppend(ctx, client, "s"))
	}
	require.NoError(t, client.Close())
	require.Greater(t, f.open.Load(), int64(reconnects/2), "the client closes its old connections now")

	g := newFakeServer(t)
	g.hook(unavailable)
	g.hook(func(g *fakeServer) { g.members = []*gossip.MemberInfo{member(gossip.MemberInfo_Leader, g.address)} })
	log := open(t, "esdb://"+g.address+","+g.address+"?tls=false", func(c *Config) { c.AppendConnections = 1 })
	for range reconnects {
		_, err := log.Append(ctx, "s", domain.AnyRevision, event(`1`))
		require.NoError(t, err)
	}
	require.Greater(t, g.accepted.Load(), int64(reconnects), "it did reconnect")
	require.NoError(t, log.Close())
	require.Eventually(t, func() bool { return g.open.Load() == 0 }, time.Minute, time.Millisecond)
}

// Bug 3, second half: Close during an error panics.
func TestClientBug3ClosePanicsBesideAnError(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	held, let := make(chan struct{}), make(chan struct{})
	f.hook(func(f *fakeServer) {
		f.onAppend = func(call api.Streams_AppendServer) error {
			if m, err := call.Recv(); err == nil && string(m.GetOptions().GetStreamIdentifier().GetStreamName()) == "held" {
				close(held)
				<-let
			}
			return status.Error(codes.Unavailable, "going away")
		}
	})
	client := bare(t, f.connection())
	panicked := make(chan any, 1)
	go func() {
		defer func() { panicked <- recover() }()
		_ = bareAppend(ctx, client, "held")
	}()
	<-held
	require.Error(t, bareAppend(ctx, client, "s")) // the next call looks for a node again …
	asked, answer := make(chan struct{}), make(chan struct{})
	f.hook(func(f *fakeServer) {
		f.onFeatures = func() {
			close(asked)
			<-answer
		}
	})
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		_ = bareAppend(ctx, client, "s")
	}()
	<-asked // … and is kept there while the client is closed
	require.NoError(t, client.Close())
	close(let)
	require.ErrorContains(t, (<-panicked).(error), "send on closed channel")
	close(answer)
	<-waited

	f.hook(func(f *fakeServer) { f.onFeatures = nil; held, let = make(chan struct{}), make(chan struct{}) })
	log := open(t, f.connection())
	ended := make(chan error, 1)
	go func() {
		_, err := log.Append(ctx, "held", domain.AnyRevision, event(`1`))
		ended <- err
	}()
	<-held
	require.NoError(t, log.Close())
	require.ErrorIs(t, <-ended, domain.ErrClosed)
	close(let)
}

// Bug 4: the client's own way to look at an error fails on the client's own errors.
func TestClientBug4FromErrorMissesWrappedErrors(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		f.onRead = func(*api.ReadReq, api.Streams_ReadServer) (bool, error) {
			return false, status.Error(codes.PermissionDenied, "no")
		}
	})
	client := bare(t, f.connection())
	defer client.Close()
	_, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	require.Equal(t, esdb.ErrorCodeAccessDenied, codeOf(err))
	told, _ := esdb.FromError(err)
	require.Equal(t, esdb.ErrorCodeUnknown, told.Code())
	_, isClientError := esdb.FromError(nil)
	require.True(t, isClientError)

	for _, err := range open(t, f.connection()).Subscribe(ctx, 0, domain.Filter{}) {
		require.ErrorIs(t, err, domain.ErrAccessDenied)
	}
}

// Bug 5: an error that comes while the client still sends is lost.
func TestClientBug5AnEarlyErrorLosesItsTrailers(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		// reads nothing: the sender must wait
		f.onAppend = func(call api.Streams_AppendServer) error {
			call.SetTrailer(metadata.Pairs("exception", "stream-deleted", "stream-name", "s"))
			return status.Error(codes.FailedPrecondition, "deleted")
		}
	})
	client := bare(t, f.connection())
	defer client.Close()
	data := []byte(`"` + strings.Repeat("x", 10_000) + `"`)
	var theirs []esdb.EventData
	var ours []domain.NewEvent
	for range 100 {
		theirs = append(theirs, esdb.EventData{EventID: uuid.New(), EventType: "t", ContentType: esdb.ContentTypeJson, Data: data})
		ours = append(ours, event(string(data)))
	}
	_, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, theirs...)
	require.Equal(t, esdb.ErrorCodeUnknown, codeOf(err))
	require.ErrorContains(t, err, "EOF")

	_, err = open(t, f.connection()).Append(ctx, "s", domain.AnyRevision, ours...)
	require.ErrorIs(t, err, domain.ErrStreamDeleted)
}

// bug6Address hands the server's address to the process that the bare client ends.
const bug6Address = "ATONE_TEST_BUG6_ADDRESS"

// Bug 6: an event without a creation date ends the process.
func TestClientBug6AnEventWithoutDateEndsTheProcess(t *testing.T) {
	t.Parallel()
	if address := os.Getenv(bug6Address); address != "" {
		stream, err := bare(t, address).ReadStream(context.Background(), "s", esdb.ReadStreamOptions{}, 10)
		require.NoError(t, err)
		_, err = stream.Recv()
		t.Logf("the client lives on: %v", err)
		return
	}
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		f.onRead = func(_ *api.ReadReq, call api.Streams_ReadServer) (bool, error) {
			m := sendEvent(domain.Recorded{NewEvent: event(`1`), Stream: "s", Position: 1})
			m.GetEvent().GetEvent().Metadata[wire.MetaCreated] = "yesterday"
			return true, call.Send(m)
		}
	})
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), bug6Address+"="+f.connection())
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	require.Contains(t, string(out), "Failed to parse created date")

	got := collect(t, open(t, f.connection()).ReadStream(ctx, "s", 0))
	require.Len(t, got, 1)
	require.True(t, got[0].Created.IsZero())
}

// Bug 9: a dropped subscription stays dropped, with an error that is not the client's.
func TestClientBug9ADroppedSubscriptionStaysDropped(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	log := open(t, f.connection())
	_, err := log.Append(ctx, "run-1", domain.NoStream, event(`1`))
	require.NoError(t, err)
	client := bare(t, f.connection())
	theirs, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	require.NoError(t, err)
	require.NotNil(t, theirs.Recv().EventAppeared)

	ours := make(chan domain.Recorded)
	go func() {
		for d, err := range log.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{"run-"}}) {
			if err == nil && d.Event != nil {
				ours <- *d.Event
			}
		}
		close(ours)
	}()
	require.Equal(t, uint64(0), (<-ours).Revision)
	f.stop()
	for theirs.Recv().SubscriptionDropped == nil { // it may have caught up first
	}
	f.start()
	_, err = log.Append(ctx, "run-1", 0, event(`2`))
	require.NoError(t, err)
	require.Equal(t, uint64(1), (<-ours).Revision, "no gap, no duplicate")
	dropped := theirs.Recv().SubscriptionDropped
	require.NotNil(t, dropped, "the client subscribes again by itself")
	require.Equal(t, esdb.ErrorCode(-1), codeOf(dropped.Error))
}

// A message of a kind that the client does not know makes a read panic.
func TestClientPanicsOnOtherReadMessages(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		f.onRead = func(_ *api.ReadReq, call api.Streams_ReadServer) (bool, error) {
			for _, m := range []*api.ReadResp{
				{Content: &api.ReadResp_FirstStreamPosition{FirstStreamPosition: 0}},
				sendEvent(domain.Recorded{NewEvent: event(`1`), Stream: "s", Position: 1}),
				{Content: &api.ReadResp_LastAllStreamPosition{LastAllStreamPosition: &shared.AllStreamPosition{CommitPosition: 1}}},
			} {
				if err := call.Send(m); err != nil {
					return true, err
				}
			}
			return true, nil
		}
	})
	client := bare(t, f.connection())
	defer client.Close()
	stream, err := client.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 10)
	require.NoError(t, err)
	require.Panics(t, func() { _, _ = stream.Recv() })

	require.Len(t, collect(t, open(t, f.connection()).ReadStream(ctx, "s", 0)), 1)
}

// Bug 7: the client changes settings of consumer groups on their way.
func TestClientBug7GroupSettingsAreSentWrong(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	client := bare(t, f.connection())
	defer client.Close()
	log := open(t, f.connection())

	require.NoError(t, client.UpdatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.End{}}))
	require.NotNil(t, f.updates[0].GetOptions().GetStream().GetStart(), "End is sent as Start")
	require.NoError(t, log.UpdateGroup(ctx, "s", "g", GroupSettings{FromEnd: true}))
	require.NotNil(t, f.updates[1].GetOptions().GetStream().GetEnd())

	require.NoError(t, client.CreatePersistentSubscriptionToAll(ctx, "theirs", esdb.PersistentAllSubscriptionOptions{
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"run-"}}}))
	require.Zero(t, f.creates[0].GetOptions().GetAll().GetFilter().GetCheckpointIntervalMultiplier())
	require.NoError(t, log.CreateGroup(ctx, AllStreams, "ours", GroupSettings{
		Filter: domain.Filter{Prefixes: []string{"run-"}}, Strategy: PinnedByCorrelation}))
	ours := f.creates[1].GetOptions()
	require.Positive(t, ours.GetAll().GetFilter().GetCheckpointIntervalMultiplier())
	require.Equal(t, []string{"run-"}, ours.GetAll().GetFilter().GetStreamIdentifier().GetPrefix())

	settings := esdb.SubscriptionSettingsDefault()
	settings.ConsumerStrategyName = "PinnedByCorrelation"
	require.Panics(t, func() {
		_ = client.CreatePersistentSubscription(ctx, "s", "p", esdb.PersistentStreamSubscriptionOptions{Settings: &settings})
	})
	require.Equal(t, "PinnedByCorrelation", ours.GetSettings().GetConsumerStrategy())
}

// Bug 8: what a server tells of a group may not parse.
func TestClientBug8GroupInfoDoesNotParse(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		f.info = &persistent.SubscriptionInfo{EventSource: "s", GroupName: "g", MaxRetryCount: 7, NamedConsumerStrategy: "RoundRobin", StartFrom: ""}
	})
	client := bare(t, f.connection())
	defer client.Close()
	_, err := client.GetPersistentSubscriptionInfo(ctx, "s", "g", esdb.GetPersistentSubscriptionOptions{})
	require.ErrorContains(t, err, "StartFrom")

	info, err := open(t, f.connection()).Group(ctx, "s", "g")
	require.NoError(t, err)
	require.Equal(t, 7, info.Settings.MaxRetries)
}
