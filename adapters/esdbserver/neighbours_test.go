package esdbserver_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/adapters/esdbserver"
)

// A client that opens subscriptions endlessly gets its share and then an error. A subscriber that
// does not read and an appender that floods hold nobody up: others append, read and subscribe as
// before.
func TestBadNeighboursHurtOnlyThemselves(t *testing.T) {
	t.Parallel()
	n := start(t, func(c *esdbserver.Config) { c.MaxSubscriptions, c.MaxSubscriptionsPerClient = 400, 150 })
	ctx, stop := context.WithCancel(within(t))
	defer stop()

	greedy := n.raw()
	option := allFromStart()
	option.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	option.UuidOption = &streams.ReadReq_Options_UUIDOption{}
	option.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
	var open int
	for range 1000 { // and none of them reads on
		call, err := streams.NewStreamsClient(greedy).Read(ctx, &streams.ReadReq{Options: option})
		require.NoError(t, err)
		if _, err = call.Recv(); err == nil {
			open++
			continue
		}
		require.Equal(t, codes.ResourceExhausted, status.Code(err))
		require.ErrorContains(t, err, "this client's limit of 150 subscriptions")
	}
	require.Equal(t, 150, open)

	var flooding sync.WaitGroup
	for i := range 3 {
		client := n.client()
		flooding.Go(func() {
			for ctx.Err() == nil {
				_, _ = client.AppendToStream(ctx, fmt.Sprint("flood-", i), esdb.AppendToStreamOptions{}, batch(100, "Flood")...)
			}
		})
	}
	client := n.client()
	sub, err := client.SubscribeToStream(ctx, "quiet", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	require.NoError(t, err)
	for i := range 50 {
		n.appended(client, "quiet", batch(1, "T")...)
		for {
			m := sub.Recv()
			require.Nil(t, m.SubscriptionDropped)
			if m.EventAppeared != nil {
				require.EqualValues(t, i, m.EventAppeared.OriginalEvent().EventNumber)
				break
			}
		}
	}
	stop()
	flooding.Wait()
}
