package esdbserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

func (n *node) appended(client *esdb.Client, stream string, events ...esdb.EventData) {
	n.t.Helper()
	_, err := client.AppendToStream(within(n.t), stream, esdb.AppendToStreamOptions{}, events...)
	require.NoError(n.t, err)
}

func TestGoClientSeesWrongRevisionsAndRepeats(t *testing.T) {
	t.Parallel()
	client, ctx := start(t).client(), within(t)
	events := batch(2, "T")
	first, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, events...)
	require.NoError(t, err)
	again, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, events...)
	require.NoError(t, err)
	require.Equal(t, first, again)
	for _, wrong := range []esdb.ExpectedRevision{esdb.NoStream{}, esdb.Revision(0), esdb.Revision(7)} {
		_, err = client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: wrong}, batch(1, "T")...)
		require.Equal(t, esdb.ErrorCodeWrongExpectedVersion, code(t, err))
	}
	_, err = client.AppendToStream(ctx, "missing", esdb.AppendToStreamOptions{ExpectedRevision: esdb.StreamExists{}}, batch(1, "T")...)
	require.Equal(t, esdb.ErrorCodeWrongExpectedVersion, code(t, err))
	next, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(1)}, batch(1, "T")...)
	require.NoError(t, err)
	require.EqualValues(t, 2, next.NextExpectedVersion)
}

func TestGoClientDeletesAndTombstones(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, ctx := n.client(), within(t)
	n.appended(client, "s", batch(3, "T")...)
	deleted, err := client.DeleteStream(ctx, "s", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(2)})
	require.NoError(t, err)
	require.Positive(t, deleted.Position.Commit)
	stream, err := client.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 1)
	require.NoError(t, err)
	_, err = stream.Recv()
	require.Equal(t, esdb.ErrorCodeResourceNotFound, code(t, err))
	n.appended(client, "s", batch(1, "T")...)
	stream, err = client.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 10)
	got := drainRead(t, stream, err)
	require.Len(t, got, 1)
	require.EqualValues(t, 3, got[0].Event.EventNumber)

	_, err = client.TombstoneStream(ctx, "s", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	require.NoError(t, err)
	stream, err = client.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 1)
	require.NoError(t, err)
	_, err = stream.Recv()
	require.Equal(t, esdb.ErrorCodeStreamDeleted, code(t, err))
	_, err = client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.Equal(t, esdb.ErrorCodeStreamDeleted, code(t, err))
}

func TestGoClientSetsMetadata(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, ctx := n.client(), within(t)
	n.appended(client, "s", batch(5, "T")...)
	meta := esdb.StreamMetadata{}
	meta.SetMaxCount(2)
	meta.SetCacheControl(time.Second)
	meta.AddCustomProperty("owner", "me")
	_, err := client.SetStreamMetadata(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, meta)
	require.NoError(t, err)
	back, err := client.GetStreamMetadata(ctx, "s", esdb.ReadStreamOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, *back.MaxCount())
	require.Equal(t, "me", back.CustomProperty("owner"))
	stream, err := client.ReadStream(ctx, "s", esdb.ReadStreamOptions{}, 10)
	require.Len(t, drainRead(t, stream, err), 2)
	stream, err = client.ReadStream(ctx, "$$s", esdb.ReadStreamOptions{}, 10)
	require.Len(t, drainRead(t, stream, err), 1)
}

func TestGoClientFiltersASubscription(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, ctx := n.client(), within(t)
	for i := range 4 {
		n.appended(client, fmt.Sprintf("noise-%d", i), batch(20, "Noise")...)
	}
	n.appended(client, "wanted-1", batch(2, "Wanted")...)
	for name, filter := range map[string]*esdb.SubscriptionFilter{
		"stream prefix": {Type: esdb.StreamFilterType, Prefixes: []string{"nothing-", "wanted-"}},
		"stream regex":  {Type: esdb.StreamFilterType, Regex: "ant"},
		"type prefix":   {Type: esdb.EventFilterType, Prefixes: []string{"Want"}},
		"type regex":    {Type: esdb.EventFilterType, Regex: "^(?!Noise|\\$)"},
		"system events": esdb.ExcludeSystemEventsFilter(),
	} {
		sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: filter, MaxSearchWindow: 16, CheckpointInterval: 2})
		require.NoError(t, err, name)
		events, checkpoints := 0, 0
		for caughtUp := false; !caughtUp; {
			m := sub.Recv()
			require.Nil(t, m.SubscriptionDropped, name)
			switch {
			case m.EventAppeared != nil:
				events++
			case m.CheckPointReached != nil:
				checkpoints++
			case m.CaughtUp != nil:
				caughtUp = true
			}
		}
		require.NoError(t, sub.Close())
		if name == "system events" {
			require.Equal(t, 82, events)
		} else {
			require.Equal(t, 2, events, name)
		}
		require.Equal(t, 3, checkpoints, "%s: two in 83 events, and one before going live", name)
	}
	sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: "("}})
	require.Error(t, err)
	require.Nil(t, sub)
}

func TestGoClientResolvesLinks(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, ctx := n.client(), within(t)
	sent := batch(2, "T")
	n.appended(client, "order-1", sent...)
	n.appended(client, "links", esdb.EventData{EventType: "$>", ContentType: esdb.ContentTypeBinary, Data: []byte("1@order-1")}, esdb.EventData{EventType: "$>", Data: []byte("9@order-1")})
	stream, err := client.ReadStream(ctx, "links", esdb.ReadStreamOptions{ResolveLinkTos: true}, 10)
	got := drainRead(t, stream, err)
	require.Len(t, got, 2)
	require.Equal(t, sent[1].EventID, got[0].Event.EventID)
	require.Equal(t, "links", got[0].Link.StreamID)
	require.Nil(t, got[1].Event, "what cannot be found stays a link")
	stream, err = client.ReadStream(ctx, "$et-T", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}, ResolveLinkTos: true}, 1)
	got = drainRead(t, stream, err)
	require.Equal(t, sent[1].EventID, got[0].Event.EventID)
}

func TestGoClientDiscoversTheNodeByGossip(t *testing.T) {
	t.Parallel()
	n := start(t)
	_, port, err := net.SplitHostPort(n.addr)
	require.NoError(t, err)
	client := dial(t, fmt.Sprintf("esdb+discover://localhost:%s?tls=false", port))
	n.appended(client, "s", batch(1, "T")...)
	version, err := client.GetServerVersion()
	require.NoError(t, err)
	require.Equal(t, esdbserver.ServerVersion, fmt.Sprintf("%d.%d.%d", version.Major, version.Minor, version.Patch))
}

// What must outlive the process is in the log: deletions, metadata, groups and their places.
func TestEverythingIsThereAfterARestart(t *testing.T) {
	t.Parallel()
	t.Run("log in memory", func(t *testing.T) {
		t.Parallel()
		restarted(t, memlog.New(), func(log domain.Log) domain.Log { return log })
	})
	t.Run("log on disk", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		open := func() *pebblelog.Log {
			log, err := pebblelog.Open(dir, pebblelog.Config{NoSync: true, MemTableBytes: 1 << 20})
			require.NoError(t, err)
			return log
		}
		first := open()
		restarted(t, first, func(domain.Log) domain.Log {
			require.NoError(t, first.Close())
			second := open()
			t.Cleanup(func() { _ = second.Close() })
			return second
		})
	})
}

func restarted(t *testing.T, log domain.Log, reopen func(domain.Log) domain.Log) {
	on := func(c *esdbserver.Config) { c.Log = log }
	n := start(t, on)
	client, ctx := n.client(), within(t)
	n.appended(client, "s", batch(3, "T")...)
	n.appended(client, "gone", batch(1, "T")...)
	_, err := client.TombstoneStream(ctx, "gone", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	require.NoError(t, err)
	require.NoError(t, client.CreatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}}))
	sub, err := client.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 1})
	require.NoError(t, err)
	require.NoError(t, sub.Ack(receive(t, sub).Event))
	second := receive(t, sub)
	catchUp, err := client.SubscribeToStream(ctx, "s", esdb.SubscribeToStreamOptions{})
	require.NoError(t, err)
	n.stop()
	for {
		if m := catchUp.Recv(); m.SubscriptionDropped != nil {
			break
		}
	}
	_ = client.Close()

	log = reopen(log)
	n = start(t, on)
	client = n.client()
	sub, err = client.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	require.NoError(t, err)
	require.Equal(t, second.Event.OriginalEvent().EventID, receive(t, sub).Event.OriginalEvent().EventID)
	_, err = client.AppendToStream(ctx, "gone", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.Equal(t, esdb.ErrorCodeStreamDeleted, code(t, err))
}

func TestGoClientUsesGroupsOverAll(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, ctx := n.client(), within(t)
	err := client.CreatePersistentSubscriptionToAll(ctx, "g", esdb.PersistentAllSubscriptionOptions{
		StartFrom: esdb.Start{}, Settings: settings(), Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"s"}},
	})
	require.NoError(t, err)
	n.appended(client, "s", batch(2, "T")...)
	sub, err := client.SubscribeToPersistentSubscriptionToAll(ctx, "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	require.NoError(t, err)
	defer sub.Close()
	for range 2 {
		require.NoError(t, sub.Ack(receive(t, sub).Event))
	}
	require.NoError(t, client.UpdatePersistentSubscriptionToAll(ctx, "g", esdb.PersistentAllSubscriptionOptions{Settings: settings()}))
	require.NotNil(t, sub.Recv().SubscriptionDropped, "an update drops the consumers")
	info, err := client.GetPersistentSubscriptionInfoToAll(ctx, "g", esdb.GetPersistentSubscriptionOptions{})
	require.NoError(t, err)
	require.Equal(t, "g", info.GroupName)
	list, err := client.ListPersistentSubscriptionsToAll(ctx, esdb.ListPersistentSubscriptionsOptions{})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.NoError(t, client.ReplayParkedMessagesToAll(ctx, "g", esdb.ReplayParkedMessagesOptions{}))
	require.NoError(t, client.DeletePersistentSubscriptionToAll(ctx, "g", esdb.DeletePersistentSubscriptionOptions{}))
	_, err = client.SubscribeToPersistentSubscriptionToAll(ctx, "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	require.Equal(t, esdb.ErrorCodeResourceNotFound, code(t, err))
}

// Newer clients say that they know the messages about a stream's ends; the Go client, which
// panics over them, does not.
func TestStreamEndsAreToldToThoseWhoKnowThem(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.appended(n.client(), "s", batch(5, "T")...)
	conn := n.raw()
	contents := func(compatibility uint32, from uint64) string {
		call, err := streams.NewStreamsClient(conn).Read(within(t), &streams.ReadReq{Options: &streams.ReadReq_Options{
			StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
				StreamIdentifier: identifier("s"), RevisionOption: &streams.ReadReq_Options_StreamOptions_Revision{Revision: from},
			}},
			CountOption:   &streams.ReadReq_Options_Count{Count: 2},
			FilterOption:  &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
			UuidOption:    &streams.ReadReq_Options_UUIDOption{},
			ControlOption: &streams.ReadReq_Options_ControlOption{Compatibility: compatibility},
		}})
		require.NoError(t, err)
		var out []string
		for {
			m, err := call.Recv()
			if err != nil {
				return strings.Join(out, " ")
			}
			switch c := m.GetContent().(type) {
			case *streams.ReadResp_Event:
				out = append(out, "event")
			case *streams.ReadResp_FirstStreamPosition:
				out = append(out, fmt.Sprint("first ", c.FirstStreamPosition))
			case *streams.ReadResp_LastStreamPosition:
				out = append(out, fmt.Sprint("last ", c.LastStreamPosition))
			}
		}
	}
	require.Equal(t, "event event", contents(0, 0))
	require.Equal(t, "event event last 4", contents(1, 0))
	require.Equal(t, "first 5 last 4", contents(1, 9))
	require.Equal(t, "last 4", contents(1, 5))
	require.Empty(t, contents(0, 9))
	truncated, err := json.Marshal(map[string]int{"$tb": 3})
	require.NoError(t, err)
	n.appended(n.client(), "$$s", esdb.EventData{EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: truncated})
	require.Equal(t, "first 3 event event last 4", contents(1, 0))
}

func TestServerServesOnce(t *testing.T) {
	t.Parallel()
	server, err := esdbserver.New(esdbserver.Config{Log: memlog.New(), Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, server.Run(ctx))
	require.ErrorContains(t, server.Run(context.Background()), "serves once")
}

func TestServerEndsWithItsLog(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	server, err := esdbserver.New(esdbserver.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(context.Background(), lis) }()
	client := dial(t, fmt.Sprintf("esdb://%s?tls=false", lis.Addr()))
	_, err = client.AppendToStream(within(t), "s", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.NoError(t, err)
	require.NoError(t, log.Close())
	require.ErrorIs(t, <-ended, domain.ErrClosed)
}
