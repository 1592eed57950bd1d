package esdbserver_test

import (
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/pebblelog"
)

// Past the end of the log a subscription is confirmed and says that it has caught up; then it
// passes over events in silence until the log is longer. The embedded log's positions have no gaps,
// so that it is known here which event comes first.
func TestSubscriptionPastTheEndIsSilentUntilTheLogIsLonger(t *testing.T) {
	t.Parallel()
	log, err := pebblelog.Open(t.TempDir(), pebblelog.Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	n := start(t, func(c *esdbserver.Config) { c.Log = log })
	client, ctx := n.client(), within(t)
	end, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.NoError(t, err)
	past := esdb.Position{Commit: end.CommitPosition + 3, Prepare: end.CommitPosition + 3}
	open := map[string]*esdb.Subscription{}
	for name, filter := range map[string]*esdb.SubscriptionFilter{
		"unfiltered": nil, "filtered": {Type: esdb.StreamFilterType, Prefixes: []string{"s"}},
	} {
		sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: past, Filter: filter})
		require.NoError(t, err, name)
		defer sub.Close()
		m := sub.Recv()
		require.NotNil(t, m.CaughtUp, "%s: %+v", name, m)
		open[name] = sub
	}
	stream, err := client.ReadAll(ctx, esdb.ReadAllOptions{From: past}, 10)
	require.Empty(t, drainRead(t, stream, err), "a read from there finds nothing")
	n.appended(client, "s", batch(5, "T")...)
	for name, sub := range open {
		m := sub.Recv()
		require.NotNil(t, m.EventAppeared, "%s: nothing is said of what is passed over: %+v", name, m)
		require.EqualValues(t, 4, m.EventAppeared.OriginalEvent().EventNumber, name)
	}
}

// The same rules hold for logs whose positions have gaps, as a server's have.
func TestPositionThatNoRecordHasIsRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, ctx := n.client(), within(t)
	n.appended(client, "s", batch(3, "T")...)
	for e, err := range n.log.ReadStream(ctx, "s", 1) {
		require.NoError(t, err)
		beside := esdb.Position{Commit: uint64(e.Position) + 1, Prepare: uint64(e.Position) + 1}
		sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: beside})
		require.NoError(t, err, "it is confirmed first")
		require.ErrorContains(t, sub.Recv().SubscriptionDropped.Error, "Trying to read from an invalid position.")
		for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
			stream, err := client.ReadAll(ctx, esdb.ReadAllOptions{Direction: direction, From: beside}, 10)
			require.NoError(t, err)
			_, err = stream.Recv()
			require.ErrorContains(t, err, "Unexpected ReadAllResult: InvalidPosition", fmt.Sprint(direction))
		}
		break
	}
}
