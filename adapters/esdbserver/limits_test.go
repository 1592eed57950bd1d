package esdbserver_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// raw connects without the vendor's client.
func (n *node) raw(options ...grpc.DialOption) *grpc.ClientConn {
	n.t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20)))
	conn, err := grpc.NewClient(n.addr, options...)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func proposal(data []byte) *streams.AppendReq {
	id := uuid.New()
	return &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}},
		Metadata: map[string]string{"type": "T", "content-type": "application/octet-stream"}, Data: data,
	}}}
}

func appendOptions(stream string) *streams.AppendReq {
	return &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       identifier(stream),
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}}}
}

// appendRaw sends the messages of one append and returns its answer and trailers.
func appendRaw(t *testing.T, conn *grpc.ClientConn, messages ...*streams.AppendReq) (*streams.AppendResp, metadata.MD, error) {
	t.Helper()
	call, err := streams.NewStreamsClient(conn).Append(within(t))
	require.NoError(t, err)
	for _, m := range messages {
		if err := call.Send(m); err != nil {
			break // the answer says why
		}
	}
	resp, err := call.CloseAndRecv()
	return resp, call.Trailer(), err
}

func TestOversizeAppendIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	n := start(t)
	conn := n.raw()
	for name, messages := range map[string][]*streams.AppendReq{
		"one event":   {appendOptions("s"), proposal(make([]byte, 2<<20))},
		"altogether":  {appendOptions("s"), proposal(make([]byte, 600_000)), proposal(make([]byte, 600_000)), proposal(make([]byte, 600_000))},
		"almost 16MB": {appendOptions("s"), proposal(make([]byte, 15<<20))},
	} {
		_, trailers, err := appendRaw(t, conn, messages...)
		require.Equal(t, codes.InvalidArgument, status.Code(err), "%s: %v", name, err)
		require.Equal(t, []string{"maximum-append-size-exceeded"}, trailers.Get("exception"), name)
		require.Equal(t, []string{fmt.Sprint(1 << 20)}, trailers.Get("maximum-append-size"), name)
	}
	_, _, err := appendRaw(t, conn, appendOptions("s"), proposal(make([]byte, 20<<20)))
	require.Equal(t, codes.ResourceExhausted, status.Code(err), "a message over the frame limit")
	_, _, err = appendRaw(t, conn, appendOptions("s"), proposal(make([]byte, 1_000_000)))
	require.NoError(t, err)
}

func TestMalformedAppendsAreRefused(t *testing.T) {
	t.Parallel()
	conn := start(t).raw()
	bad := func(change func(*streams.AppendReq_ProposedMessage)) []*streams.AppendReq {
		p := proposal(nil)
		change(p.GetProposedMessage())
		return []*streams.AppendReq{appendOptions("s"), p}
	}
	noExpectation := appendOptions("s")
	noExpectation.GetOptions().ExpectedStreamRevision = nil
	tooHigh := appendOptions("s")
	tooHigh.GetOptions().ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: 1 << 63}
	// What the original refuses by an exception of its handler has that one's code, and our words.
	for name, messages := range map[string][]*streams.AppendReq{
		"nothing":           {},
		"no options":        {proposal(nil)},
		"empty message":     {{}},
		"options twice":     {appendOptions("s"), appendOptions("s")},
		"revision too high": {tooHigh},
		"no stream":         {appendOptions("")},
		"no id":             bad(func(p *streams.AppendReq_ProposedMessage) { p.Id = nil }),
		"id is no UUID":     bad(func(p *streams.AppendReq_ProposedMessage) { p.Id.Value = &shared.UUID_String_{String_: "x"} }),
		"zero id":           bad(func(p *streams.AppendReq_ProposedMessage) { p.Id.Value = &shared.UUID_Structured_{} }),
		"empty type":        bad(func(p *streams.AppendReq_ProposedMessage) { p.Metadata["type"] = "" }),
	} {
		_, _, err := appendRaw(t, conn, messages...)
		require.Equal(t, codes.Unknown, status.Code(err), "%s: %v", name, err)
	}
	for name, messages := range map[string][]*streams.AppendReq{
		"no expectation":     {noExpectation},
		"name not UTF-8":     {appendOptions("\xff")},
		"no type":            bad(func(p *streams.AppendReq_ProposedMessage) { delete(p.Metadata, "type") }),
		"no content type":    bad(func(p *streams.AppendReq_ProposedMessage) { delete(p.Metadata, "content-type") }),
		"a forged tombstone": bad(func(p *streams.AppendReq_ProposedMessage) { p.Metadata["type"] = "$streamDeleted" }),
	} {
		_, _, err := appendRaw(t, conn, messages...)
		require.Equal(t, codes.InvalidArgument, status.Code(err), "%s: %v", name, err)
	}
	for _, name := range []string{"$all", "$$", "$ce-x", "$et-T"} {
		_, trailers, err := appendRaw(t, conn, appendOptions(name), proposal(nil))
		require.Equal(t, codes.PermissionDenied, status.Code(err), name)
		require.Equal(t, []string{"access-denied"}, trailers.Get("exception"))
	}
}

// subscribeRaw opens a subscription and reads its confirmation only.
func subscribeRaw(ctx context.Context, t *testing.T, conn *grpc.ClientConn, option *streams.ReadReq_Options) streams.Streams_ReadClient {
	t.Helper()
	option.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	option.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
	option.UuidOption = &streams.ReadReq_Options_UUIDOption{}
	call, err := streams.NewStreamsClient(conn).Read(ctx, &streams.ReadReq{Options: option})
	require.NoError(t, err)
	first, err := call.Recv()
	require.NoError(t, err)
	require.NotNil(t, first.GetConfirmation())
	return call
}

func allFromStart() *streams.ReadReq_Options {
	return &streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
	}}}
}

func streamFromEnd(name string) *streams.ReadReq_Options {
	return &streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: identifier(name), RevisionOption: &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}},
	}}}
}

// A subscriber that does not read must neither hold up a writer nor make the server keep
// what it has not read; when it reads on, it gets everything.
// not parallel: it measures the heap
func TestSlowSubscriberBlocksNobodyAndCostsNoMemory(t *testing.T) {
	n := start(t, func(c *esdbserver.Config) { c.TailEvents, c.TailBytes = 64, 1<<20 })
	ctx := within(t)
	const subscribers, appends, size = 20, 300, 100_000
	var calls []streams.Streams_ReadClient
	conn := n.raw(grpc.WithInitialWindowSize(1<<16), grpc.WithInitialConnWindowSize(1<<20))
	for range subscribers {
		calls = append(calls, subscribeRaw(ctx, t, conn, allFromStart()))
	}
	data := make([]byte, size)
	grow := func() int64 {
		for range appends { // straight to the log, which alone may grow
			_, err := n.log.Append(ctx, "big", domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: "T", Data: data, Binary: true})
			require.NoError(t, err)
		}
		var heap runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&heap)
		return int64(heap.HeapAlloc)
	}
	before := grow() // everybody is behind now
	grown := grow() - before
	require.Less(t, grown, int64(appends*size+(5<<20)), "the log itself grew by %d bytes", appends*size)
	events := 0
	for events < 2*appends {
		m, err := calls[0].Recv()
		require.NoError(t, err)
		if m.GetEvent().GetEvent().GetStreamIdentifier() != nil && string(m.GetEvent().GetEvent().GetStreamIdentifier().GetStreamName()) == "big" {
			require.EqualValues(t, events, m.GetEvent().GetEvent().GetStreamRevision())
			events++
		}
	}
}

func TestAThousandIdleSubscriptions(t *testing.T) {
	t.Parallel()
	n := start(t)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	conn := n.raw()
	var calls []streams.Streams_ReadClient
	for i := range 1000 {
		calls = append(calls, subscribeRaw(ctx, t, conn, streamFromEnd(fmt.Sprintf("s-%d", i))))
	}
	client := n.client()
	for i := 0; i < 1000; i += 100 {
		want := batch(1, "T")
		_, err := client.AppendToStream(ctx, fmt.Sprintf("s-%d", i), esdb.AppendToStreamOptions{}, want...)
		require.NoError(t, err)
		for {
			m, err := calls[i].Recv()
			require.NoError(t, err)
			if m.GetEvent() != nil {
				break
			}
			require.NotNil(t, m.GetCaughtUp())
		}
	}
}

func TestSubscriptionsOverTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *esdbserver.Config) { c.MaxSubscriptions = 2 })
	conn := n.raw()
	ctx, cancel := context.WithCancel(within(t))
	first := subscribeRaw(ctx, t, conn, allFromStart())
	_ = subscribeRaw(within(t), t, conn, allFromStart())
	option := allFromStart()
	option.CountOption = &streams.ReadReq_Options_Subscription{}
	option.UuidOption = &streams.ReadReq_Options_UUIDOption{}
	option.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
	third := func() error {
		call, err := streams.NewStreamsClient(conn).Read(within(t), &streams.ReadReq{Options: option})
		require.NoError(t, err)
		_, err = call.Recv()
		return err
	}
	require.Equal(t, codes.ResourceExhausted, status.Code(third()))
	cancel()
	for {
		if _, err := first.Recv(); err != nil {
			break
		}
	}
	require.Eventually(t, func() bool { return third() == nil }, time.Minute, time.Millisecond, "the place is given back")
}

func TestConnectionsOverTheLimitAreClosed(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *esdbserver.Config) { c.MaxConnections = 1 })
	_, err := n.client().AppendToStream(within(t), "s", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.NoError(t, err)
	extra, err := net.Dial("tcp", n.addr)
	require.NoError(t, err)
	defer extra.Close()
	_, err = extra.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestConcurrentAppendersToManyStreams(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, ctx := n.client(), within(t)
	var running sync.WaitGroup
	failed := make(chan error, 16)
	for w := range 16 {
		running.Go(func() {
			expected := esdb.ExpectedRevision(esdb.NoStream{})
			for i := range 50 {
				_, err := client.AppendToStream(ctx, fmt.Sprintf("w-%d", w), esdb.AppendToStreamOptions{ExpectedRevision: expected}, batch(1, "T")...)
				if err != nil {
					failed <- err
					return
				}
				expected = esdb.Revision(uint64(i))
			}
		})
	}
	running.Wait()
	close(failed)
	require.NoError(t, <-failed)
	stream, err := client.ReadStream(ctx, "$ce-w", esdb.ReadStreamOptions{ResolveLinkTos: true}, 10_000)
	require.Len(t, drainRead(t, stream, err), 800)
}

// brokenLog panics when it is asked for one stream.
type brokenLog struct{ domain.Log }

func (l brokenLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if stream == "broken" {
		panic("broken")
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

func TestPanicIsAnInternalErrorOfItsRequestOnly(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *esdbserver.Config) { c.Log = brokenLog{memlog.New()} })
	client, ctx := n.client(), within(t)
	events := batch(1, "T")
	for range 2 { // the repeat does not wait for an append that never ends
		_, err := client.AppendToStream(ctx, "broken", esdb.AppendToStreamOptions{}, events...)
		require.ErrorContains(t, err, "code = Internal")
	}
	b := n.batches()
	b.send(request("broken", nil))
	require.NotNil(t, b.answer().GetError())
	n.appended(client, "whole", batch(1, "T")...)
}
