package esdbserver_test

import (
	"errors"
	"io"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/stretchr/testify/require"
)

func drainRead(t *testing.T, stream *esdb.ReadStream, err error) []*esdb.ResolvedEvent {
	t.Helper()
	require.NoError(t, err)
	defer stream.Close()
	var out []*esdb.ResolvedEvent
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		out = append(out, event)
	}
}

func TestGoClientAppendsAndReadsBack(t *testing.T) {
	t.Parallel()
	client, ctx := start(t).client(), within(t)
	sent := batch(5, "Opened")
	done, err := client.AppendToStream(ctx, "account-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, sent...)
	require.NoError(t, err)
	require.EqualValues(t, 4, done.NextExpectedVersion)
	require.Positive(t, done.CommitPosition)

	stream, err := client.ReadStream(ctx, "account-1", esdb.ReadStreamOptions{}, 100)
	got := drainRead(t, stream, err)
	require.Len(t, got, 5)
	for i, e := range got {
		require.Equal(t, sent[i].EventID, e.Event.EventID)
		require.Equal(t, sent[i].Data, e.Event.Data)
		require.Equal(t, sent[i].Metadata, e.Event.UserMetadata)
		require.Equal(t, "application/json", e.Event.ContentType)
		require.EqualValues(t, i, e.Event.EventNumber)
		require.Positive(t, e.Event.Position.Commit)
	}

	stream, err = client.ReadStream(ctx, "account-1", esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 2)
	got = drainRead(t, stream, err)
	require.Len(t, got, 2)
	require.EqualValues(t, 4, got[0].Event.EventNumber)

	all, err := client.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 3)
	got = drainRead(t, all, err)
	require.Len(t, got, 3)
	require.Equal(t, sent[4].EventID, got[0].Event.EventID)
}

func TestGoClientSubscribesToAStreamAndToAll(t *testing.T) {
	t.Parallel()
	client, ctx := start(t).client(), within(t)
	_, err := client.AppendToStream(ctx, "account-1", esdb.AppendToStreamOptions{}, batch(3, "Opened")...)
	require.NoError(t, err)

	one, err := client.SubscribeToStream(ctx, "account-1", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	require.NoError(t, err)
	defer one.Close()
	all, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	require.NoError(t, err)
	defer all.Close()

	for _, sub := range []*esdb.Subscription{one, all} {
		seen := 0
		for {
			m := sub.Recv()
			require.Nil(t, m.SubscriptionDropped)
			if m.CaughtUp != nil {
				break
			}
			if m.EventAppeared.OriginalEvent().StreamID == "account-1" {
				seen++
			}
		}
		require.Equal(t, 3, seen)
	}
	live := batch(2, "Closed")
	_, err = client.AppendToStream(ctx, "account-1", esdb.AppendToStreamOptions{}, live...)
	require.NoError(t, err)
	for _, sub := range []*esdb.Subscription{one, all} {
		for _, want := range live {
			m := sub.Recv()
			require.NotNil(t, m.EventAppeared)
			require.Equal(t, want.EventID, m.EventAppeared.OriginalEvent().EventID)
		}
	}
}
