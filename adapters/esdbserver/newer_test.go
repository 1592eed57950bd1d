package esdbserver_test

import (
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// unknownFields returns the fields that the client module's version of the protocol does not have.
func unknownFields(t *testing.T, m proto.Message) map[protowire.Number][]byte {
	t.Helper()
	out := map[protowire.Number][]byte{}
	for b := []byte(m.ProtoReflect().GetUnknown()); len(b) > 0; {
		number, kind, n := protowire.ConsumeTag(b)
		require.Positive(t, n)
		size := protowire.ConsumeFieldValue(number, kind, b[n:])
		require.Positive(t, size)
		out[number] = b[n : n+size]
		b = b[n+size:]
	}
	return out
}

func recentTimestamp(t *testing.T, field []byte) {
	t.Helper()
	data, n := protowire.ConsumeBytes(field)
	require.Positive(t, n)
	var at timestamppb.Timestamp
	require.NoError(t, proto.Unmarshal(data, &at))
	require.WithinDuration(t, time.Now(), at.AsTime(), time.Minute)
}

// firstCaughtUp subscribes to a stream, or to all, and returns what says that it has caught up, and
// the checkpoint before, if there was one.
func firstCaughtUp(t *testing.T, conn *grpc.ClientConn, option *streams.ReadReq_Options) (*streams.ReadResp_CaughtUp, *streams.ReadResp_Checkpoint) {
	t.Helper()
	option.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	option.UuidOption = &streams.ReadReq_Options_UUIDOption{}
	call, err := streams.NewStreamsClient(conn).Read(within(t), &streams.ReadReq{Options: option})
	require.NoError(t, err)
	var last *streams.ReadResp_Checkpoint
	for {
		m, err := call.Recv()
		require.NoError(t, err)
		if m.GetCheckpoint() != nil {
			last = m.GetCheckpoint()
		}
		if m.GetCaughtUp() != nil {
			return m.GetCaughtUp(), last
		}
	}
}

// KurrentDB 25.1 says when a subscription has caught up, and where.
func TestCaughtUpAndCheckpointsSayWhenAndWhere(t *testing.T) {
	t.Parallel()
	n := start(t)
	conn := n.raw()
	n.appended(n.client(), "s", batch(3, "T")...)
	none := &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}}
	of := func(stream string) *streams.ReadReq_Options {
		return &streams.ReadReq_Options{FilterOption: none, StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: identifier(stream), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{}}}}
	}
	all := func(filter bool) *streams.ReadReq_Options {
		o := &streams.ReadReq_Options{FilterOption: none, StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_Start{}}}}
		if filter {
			o.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
				Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"s"}}},
				Window: &streams.ReadReq_Options_FilterOptions_Max{Max: 32}, CheckpointIntervalMultiplier: 1}}
		}
		return o
	}

	caughtUp, _ := firstCaughtUp(t, conn, of("s"))
	fields := unknownFields(t, caughtUp)
	recentTimestamp(t, fields[1])
	revision, _ := protowire.ConsumeVarint(fields[2])
	require.EqualValues(t, 2, revision)
	require.NotContains(t, fields, protowire.Number(3))

	caughtUp, _ = firstCaughtUp(t, conn, of("missing"))
	fields = unknownFields(t, caughtUp)
	recentTimestamp(t, fields[1])
	require.Len(t, fields, 1, "a stream that is not there has no revision")

	caughtUp, at := firstCaughtUp(t, conn, all(true))
	fields = unknownFields(t, caughtUp)
	recentTimestamp(t, fields[1])
	require.NotContains(t, fields, protowire.Number(2))
	position, _ := protowire.ConsumeBytes(fields[3])
	want := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), at.GetCommitPosition())
	want = protowire.AppendVarint(protowire.AppendTag(want, 2, protowire.VarintType), at.GetCommitPosition())
	require.Equal(t, want, position)
	recentTimestamp(t, unknownFields(t, at)[3])
}
