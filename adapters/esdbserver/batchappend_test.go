package esdbserver_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// batcher is one call of BatchAppend.
type batcher struct {
	t    *testing.T
	call streams.Streams_BatchAppendClient
}

func (n *node) batches() *batcher {
	n.t.Helper()
	call, err := streams.NewStreamsClient(n.raw()).BatchAppend(within(n.t))
	require.NoError(n.t, err)
	return &batcher{n.t, call}
}

func correlate() *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}}
}

// request is a whole batch of events with such data.
func request(stream string, data ...[]byte) *streams.BatchAppendReq {
	req := &streams.BatchAppendReq{CorrelationId: correlate(), IsFinal: true, Options: &streams.BatchAppendReq_Options{
		StreamIdentifier:       identifier(stream),
		ExpectedStreamPosition: &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}},
	}}
	for _, d := range data {
		p := proposal(d).GetProposedMessage()
		req.ProposedMessages = append(req.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{Id: p.Id, Metadata: p.Metadata, Data: p.Data})
	}
	return req
}

func (b *batcher) send(reqs ...*streams.BatchAppendReq) {
	b.t.Helper()
	for _, r := range reqs {
		require.NoError(b.t, b.call.Send(r))
	}
}

func (b *batcher) answer() *streams.BatchAppendResp {
	b.t.Helper()
	resp, err := b.call.Recv()
	require.NoError(b.t, err)
	return resp
}

// refused sends the batch and returns the one message that its error carries.
func (b *batcher) refused(req *streams.BatchAppendReq) proto.Message {
	b.t.Helper()
	b.send(req)
	resp := b.answer()
	require.True(b.t, proto.Equal(req.CorrelationId, resp.CorrelationId))
	require.True(b.t, proto.Equal(req.Options.GetStreamIdentifier(), resp.StreamIdentifier))
	require.NotNil(b.t, resp.GetError(), "%v", resp)
	require.Len(b.t, resp.GetError().Details, 1)
	m, err := resp.GetError().Details[0].UnmarshalNew()
	require.NoError(b.t, err)
	return m
}

func TestBatchComesInParts(t *testing.T) {
	t.Parallel()
	b := start(t).batches()
	whole := request("s", []byte("1"), []byte("2"), []byte("3"))
	first := proto.Clone(whole).(*streams.BatchAppendReq)
	first.ProposedMessages, first.IsFinal = first.ProposedMessages[:1], false
	last := proto.Clone(whole).(*streams.BatchAppendReq)
	last.ProposedMessages, last.Options = last.ProposedMessages[1:], nil
	other := request("other", []byte("x"))
	b.send(first, other)
	require.True(t, proto.Equal(other.CorrelationId, b.answer().CorrelationId), "another batch does not wait")
	b.send(last)
	resp := b.answer()
	require.EqualValues(t, 2, resp.GetSuccess().GetCurrentRevision())
	require.Positive(t, resp.GetSuccess().GetPosition().GetCommitPosition())
	require.Equal(t, "s", string(resp.GetStreamIdentifier().GetStreamName()))
}

func TestBatchesForOneStreamKeepTheirOrder(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.batches()
	for i := range 300 {
		b.send(request("s", fmt.Append(nil, i)))
	}
	for range 300 {
		require.NotNil(t, b.answer().GetSuccess())
	}
	i := 0
	for e, err := range n.log.ReadStream(within(t), "s", 0) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(e.Data))
		i++
	}
	require.Equal(t, 300, i)
}

func TestBatchErrorsHaveTheirDetails(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.batches()
	b.send(request("s", []byte("1")))
	require.NotNil(t, b.answer().GetSuccess())

	req := request("s", []byte("2"))
	req.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: 5}
	wrong := b.refused(req).(*shared.WrongExpectedVersion)
	require.EqualValues(t, 0, wrong.GetCurrentStreamRevision())
	require.EqualValues(t, 5, wrong.GetExpectedStreamPosition())
	req = request("missing", []byte("2"))
	req.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
	wrong = b.refused(req).(*shared.WrongExpectedVersion)
	require.NotNil(t, wrong.GetCurrentNoStream())
	require.NotNil(t, wrong.GetExpectedStreamExists())

	require.IsType(t, &shared.AccessDenied{}, b.refused(request("atone-1", nil)))
	limit := b.refused(request("s", make([]byte, 2<<20))).(*shared.MaximumAppendSizeExceeded)
	require.EqualValues(t, 1<<20, limit.MaxAppendSize)
	req = request("s", nil)
	req.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(-1)}
	require.IsType(t, &shared.Timeout{}, b.refused(req))
	req.CorrelationId = correlate()
	req.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: timestamppb.New(time.Now().Add(-time.Hour))}
	require.IsType(t, &shared.Timeout{}, b.refused(req))
	require.IsType(t, &shared.BadRequest{}, b.refused(request("", nil)))
	req = request("s", nil)
	req.ProposedMessages[0].Id = nil
	require.IsType(t, &shared.BadRequest{}, b.refused(req))

	_, err := streams.NewStreamsClient(n.raw()).Tombstone(within(t), &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
		StreamIdentifier: identifier("s"), ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{},
	}})
	require.NoError(t, err)
	require.IsType(t, &shared.StreamDeleted{}, b.refused(request("s", nil)))
	b.send(request("after", nil))
	require.NotNil(t, b.answer().GetSuccess(), "the call goes on after all that")
}

// stuckLog takes no append to the stream "stuck".
type stuckLog struct{ domain.Log }

func (l stuckLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if stream == "stuck" {
		<-ctx.Done()
		return domain.Appended{}, ctx.Err()
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

func TestBatchThatTheLogDoesNotTakeTimesOut(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *esdbserver.Config) {
		c.Log, c.CommitTimeout = stuckLog{memlog.New()}, 10*time.Millisecond
	}).batches()
	require.IsType(t, &shared.Timeout{}, b.refused(request("stuck", nil)))
}

func TestBatchThatTheLogDoesNotTakeHoldsUpNoOtherStream(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *esdbserver.Config) {
		c.Log, c.CommitTimeout = stuckLog{memlog.New()}, time.Hour
	}).batches()
	other := request("free", nil)
	b.send(request("stuck", nil), other)
	answer := b.answer()
	require.True(t, proto.Equal(other.CorrelationId, answer.CorrelationId))
	require.NotNil(t, answer.GetSuccess())
}

func TestOpenCallsEndWithTheServer(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.batches()
	b.send(request("s", nil))
	require.NotNil(t, b.answer().GetSuccess())
	sub := subscribeRaw(within(t), t, n.raw(), allFromStart())
	n.stop()
	_, err := b.call.Recv()
	require.Equal(t, codes.Unavailable, status.Code(err))
	for {
		if _, err = sub.Recv(); err != nil {
			break
		}
	}
	require.Equal(t, codes.Unavailable, status.Code(err))
}
