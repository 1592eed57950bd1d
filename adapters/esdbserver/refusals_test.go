package esdbserver_test

import (
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/adapters/esdbserver"
)

// TestGroupThatBeginsBeyondTheEndIsRefused: a group over all streams begins at the end of the log
// at the latest.
func TestGroupThatBeginsBeyondTheEndIsRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, ctx := n.client(), within(t)
	n.appended(client, "s", batch(1, "T")...)
	at, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.NoError(t, err)
	create := func(group string, commit uint64) error {
		return client.CreatePersistentSubscriptionToAll(ctx, group, esdb.PersistentAllSubscriptionOptions{
			StartFrom: esdb.Position{Commit: commit, Prepare: commit}, Settings: settings(),
		})
	}
	require.NoError(t, create("at-the-end", at.CommitPosition))
	require.ErrorContains(t, create("beyond", at.CommitPosition+1_000_000), "Invalid Start From position")
}

// TestWhoeverIsSomebodyMayListGroups: as for the description of a single group.
func TestWhoeverIsSomebodyMayListGroups(t *testing.T) {
	t.Parallel()
	_, as := guarded(t)
	ctx := within(t)
	admin := as("admin:secret")
	require.NoError(t, admin.CreatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{Settings: settings()}))
	for _, role := range []esdbserver.Role{esdbserver.RoleReader, esdbserver.RoleApp, esdbserver.RoleAdmin} {
		list, err := as(string(role)+":secret").ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
		require.NoError(t, err, role)
		require.Len(t, list, 1, role)
		_, err = as(string(role)+":secret").GetPersistentSubscriptionInfo(ctx, "s", "g", esdb.GetPersistentSubscriptionOptions{})
		require.NoError(t, err, role)
	}
	_, err := as("").ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
	require.Equal(t, esdb.ErrorCodeAccessDenied, code(t, err))
}

// TestOddValuesAreRefused sends what no client's own functions can send.
func TestOddValuesAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.appended(n.client(), "s", batch(2, "T")...)
	api := streams.NewStreamsClient(n.raw())
	prefix := &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"s"}}}
	all := func() *streams.ReadReq_Options {
		return &streams.ReadReq_Options{
			StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}},
			CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
			FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
				Filter: prefix, Window: &streams.ReadReq_Options_FilterOptions_Max{Max: 32}, CheckpointIntervalMultiplier: 1}},
			UuidOption: &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
		}
	}
	stream := func() *streams.ReadReq_Options {
		o := all()
		o.StreamOption = &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{StreamIdentifier: identifier("s"),
			RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}}}}
		o.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
		o.CountOption = &streams.ReadReq_Options_Count{Count: 5}
		return o
	}
	refusal := func(o *streams.ReadReq_Options) codes.Code {
		call, err := api.Read(within(t), &streams.ReadReq{Options: o})
		require.NoError(t, err)
		for {
			if _, err := call.Recv(); err != nil {
				return status.Code(err)
			}
		}
	}
	odd := map[string]struct {
		options *streams.ReadReq_Options
		change  func(*streams.ReadReq_Options)
		want    codes.Code
	}{
		"the window is unset": {all(), func(o *streams.ReadReq_Options) { o.GetFilter().Window = nil }, codes.InvalidArgument},
		"the window is 0": {all(), func(o *streams.ReadReq_Options) {
			o.GetFilter().Window = &streams.ReadReq_Options_FilterOptions_Max{}
		}, codes.Unknown},
		"the multiplier is 0":      {all(), func(o *streams.ReadReq_Options) { o.GetFilter().CheckpointIntervalMultiplier = 0 }, codes.Unknown},
		"there is no expression":   {all(), func(o *streams.ReadReq_Options) { o.GetFilter().Filter = nil }, codes.InvalidArgument},
		"the count is 0":           {stream(), func(o *streams.ReadReq_Options) { o.CountOption = &streams.ReadReq_Options_Count{} }, codes.Unknown},
		"the direction is unknown": {stream(), func(o *streams.ReadReq_Options) { o.ReadDirection = 7 }, codes.InvalidArgument},
	}
	for name, c := range odd {
		t.Run(name, func(t *testing.T) {
			c.change(c.options)
			require.Equal(t, c.want, refusal(c.options))
		})
	}
}

// TestTheFirstPositionHeedsMaxAge: events that $maxAge hides are not where a stream begins.
func TestTheFirstPositionHeedsMaxAge(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.appended(n.client(), "s", batch(5, "T")...)
	n.appended(n.client(), "$$s", metadataEvent(`{"$maxAge":1}`))
	first := func() *uint64 {
		call, err := streams.NewStreamsClient(n.raw()).Read(within(t), &streams.ReadReq{Options: &streams.ReadReq_Options{
			StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
				StreamIdentifier: identifier("s"), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}}}},
			CountOption:   &streams.ReadReq_Options_Count{Count: 2},
			FilterOption:  &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
			UuidOption:    &streams.ReadReq_Options_UUIDOption{},
			ControlOption: &streams.ReadReq_Options_ControlOption{Compatibility: 1},
		}})
		require.NoError(t, err)
		for {
			m, err := call.Recv()
			if err != nil {
				return nil
			}
			if c, ok := m.GetContent().(*streams.ReadResp_FirstStreamPosition); ok {
				return &c.FirstStreamPosition
			}
		}
	}
	require.Eventually(t, func() bool { at := first(); return at != nil && *at == 5 }, 2*time.Minute, 100*time.Millisecond)
	n.appended(n.client(), "s", batch(1, "T")...)
	at := first()
	require.NotNil(t, at, "the first page lies before the first event that is young enough")
	require.Equal(t, uint64(5), *at)
}
