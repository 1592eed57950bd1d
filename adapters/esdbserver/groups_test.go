package esdbserver_test

import (
	"context"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func settings(change ...func(*esdb.PersistentSubscriptionSettings)) *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	s.CheckpointAfter = 1
	s.CheckpointLowerBound, s.CheckpointUpperBound = 1, 1
	for _, f := range change {
		f(&s)
	}
	return &s
}

func receive(t *testing.T, sub *esdb.PersistentSubscription) *esdb.EventAppeared {
	t.Helper()
	m := sub.Recv()
	require.Nil(t, m.SubscriptionDropped, "dropped: %v", m.SubscriptionDropped)
	require.NotNil(t, m.EventAppeared)
	return m.EventAppeared
}

func TestGroupDeliversAcksRetriesParksAndReplays(t *testing.T) {
	t.Parallel()
	client, ctx := start(t).client(), within(t)
	sent := batch(3, "Opened")
	_, err := client.AppendToStream(ctx, "account-1", esdb.AppendToStreamOptions{}, sent...)
	require.NoError(t, err)
	err = client.CreatePersistentSubscription(ctx, "account-1", "g", esdb.PersistentStreamSubscriptionOptions{
		StartFrom: esdb.Start{}, Settings: settings(func(s *esdb.PersistentSubscriptionSettings) { s.MaxRetryCount = 1 }),
	})
	require.NoError(t, err)
	err = client.CreatePersistentSubscription(ctx, "account-1", "g", esdb.PersistentStreamSubscriptionOptions{})
	require.Equal(t, esdb.ErrorCodeResourceAlreadyExists, code(t, err))

	sub, err := client.SubscribeToPersistentSubscription(ctx, "account-1", "g", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 1})
	require.NoError(t, err)
	defer sub.Close()

	first := receive(t, sub)
	require.Equal(t, sent[0].EventID, first.Event.OriginalEvent().EventID)
	require.Zero(t, first.RetryCount)
	require.NoError(t, sub.Ack(first.Event))

	second := receive(t, sub)
	require.Equal(t, sent[1].EventID, second.Event.OriginalEvent().EventID)
	require.NoError(t, sub.Nack("again", esdb.NackActionRetry, second.Event))
	second = receive(t, sub)
	require.Equal(t, sent[1].EventID, second.Event.OriginalEvent().EventID)
	require.Equal(t, 1, second.RetryCount)
	// once too often: parked
	require.NoError(t, sub.Nack("again", esdb.NackActionRetry, second.Event))

	third := receive(t, sub)
	require.Equal(t, sent[2].EventID, third.Event.OriginalEvent().EventID)
	require.NoError(t, sub.Nack("broken", esdb.NackActionPark, third.Event))

	parked := waitForParked(ctx, t, client, 2)
	require.Equal(t, "0@account-1"[1:], string(parked[0].Event.Data)[1:])

	info, err := client.GetPersistentSubscriptionInfo(ctx, "account-1", "g", esdb.GetPersistentSubscriptionOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, info.Stats.ParkedMessagesCount)
	require.Equal(t, "Live", info.Status)

	require.NoError(t, client.ReplayParkedMessages(ctx, "account-1", "g", esdb.ReplayParkedMessagesOptions{}))
	for _, want := range sent[1:] {
		again := receive(t, sub)
		require.Equal(t, want.EventID, again.Event.Event.EventID)
		require.NotNil(t, again.Event.Link)
		require.NoError(t, sub.Ack(again.Event))
	}
	list, err := client.ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.NoError(t, client.RestartPersistentSubscriptionSubsystem(ctx, esdb.RestartPersistentSubscriptionSubsystemOptions{}))
	require.NoError(t, client.DeletePersistentSubscription(ctx, "account-1", "g", esdb.DeletePersistentSubscriptionOptions{}))
	_, err = client.GetPersistentSubscriptionInfo(ctx, "account-1", "g", esdb.GetPersistentSubscriptionOptions{})
	require.Equal(t, esdb.ErrorCodeResourceNotFound, code(t, err))
}

// waitForParked subscribes to the parked stream until it has n links.
func waitForParked(ctx context.Context, t *testing.T, client *esdb.Client, n int) []*esdb.ResolvedEvent {
	t.Helper()
	sub, err := client.SubscribeToStream(ctx, "$persistentsubscription-account-1::g-parked", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	require.NoError(t, err)
	defer sub.Close()
	var out []*esdb.ResolvedEvent
	for len(out) < n {
		m := sub.Recv()
		require.Nil(t, m.SubscriptionDropped)
		if m.EventAppeared != nil {
			out = append(out, m.EventAppeared)
		}
	}
	return out
}

// A consumer whose acks are no longer read would otherwise be sent the same events for ever.
func TestAConsumerLearnsThatItsMessageCannotBeRead(t *testing.T) {
	t.Parallel()
	n, ctx := start(t), within(t)
	err := n.client().CreatePersistentSubscription(ctx, "account-1", "g", esdb.PersistentStreamSubscriptionOptions{Settings: settings()})
	require.NoError(t, err)
	call, err := persistent.NewPersistentSubscriptionsClient(n.raw()).Read(ctx)
	require.NoError(t, err)
	require.NoError(t, call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
		GroupName: "g", BufferSize: 1,
		StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: identifier("account-1")},
		UuidOption:   &persistent.ReadReq_Options_UUIDOption{Content: &persistent.ReadReq_Options_UUIDOption_String_{}},
	}}}))
	confirmed, err := call.Recv()
	require.NoError(t, err)
	require.NotNil(t, confirmed.GetSubscriptionConfirmation())

	tooLong := strings.Repeat("x", 20<<20)
	_ = call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{Reason: tooLong}}})
	_, err = call.Recv()
	require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
}
