package wire

import (
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/atonehq/atone/domain"
)

// generatedBatch is the batch in the generated code's types.
func generatedBatch(b Batch) *api.BatchAppendReq {
	options := &api.BatchAppendReq_Options{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(b.Stream)}}
	switch b.Expected {
	case domain.AnyRevision:
		options.ExpectedStreamPosition = &api.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
	case domain.NoStream:
		options.ExpectedStreamPosition = &api.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	case domain.StreamExists:
		options.ExpectedStreamPosition = &api.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
	default:
		options.ExpectedStreamPosition = &api.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(b.Expected)}
	}
	request := &api.BatchAppendReq{Options: options, IsFinal: true, CorrelationId: correlation(b.ID)}
	for _, e := range b.Events {
		request.ProposedMessages = append(request.ProposedMessages, &api.BatchAppendReq_ProposedMessage{
			Id: WireID(e.ID), Metadata: WireMetadata(e), CustomMetadata: e.Metadata, Data: e.Data})
	}
	return request
}

func correlation(id int64) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: batchMark, LeastSignificantBits: id}}}
}

func TestBatchesAreWrittenAsTheGeneratedCodeReadsThem(t *testing.T) {
	t.Parallel()
	event := func(size int) domain.NewEvent {
		return domain.NewEvent{ID: uuid.New(), Type: "order.paid", Data: make([]byte, size), Metadata: make([]byte, size/2)}
	}
	binary := event(3)
	binary.Binary = true
	half := event(3)
	half.ID = uuid.UUID{15: 1}
	for _, b := range []Batch{
		{ID: 1, Stream: "run-a", Expected: domain.NoStream, Events: []domain.NewEvent{event(10)}},
		{ID: math.MaxInt64, Stream: "run-a", Expected: 0, Events: []domain.NewEvent{event(0), event(127), event(128)}},
		{ID: 300, Stream: "ströme", Expected: math.MaxInt64, Events: []domain.NewEvent{binary, half}},
		{ID: 2, Stream: "s", Expected: domain.AnyRevision, Events: []domain.NewEvent{event(domain.MaxAppendSize)}},
		{ID: 3, Stream: "s", Expected: domain.StreamExists},
	} {
		want := generatedBatch(b)
		message := b.Encode().buffer
		var got api.BatchAppendReq
		require.NoError(t, proto.Unmarshal(message.ReadOnlyData(), &got))
		require.True(t, proto.Equal(want, &got), "%v\n%v", want, &got)
		require.Equal(t, proto.Size(want), message.Len())
		message.Free()
	}
}

// generatedBatchAnswer is what the generated code makes of an answer to a batch.
func generatedBatchAnswer(message []byte) (BatchAnswer, error) {
	var m api.BatchAppendResp
	if err := proto.Unmarshal(message, &m); err != nil {
		return BatchAnswer{}, err
	}
	a := BatchAnswer{Refused: m.GetError()}
	if u := ReadID(m.GetCorrelationId()); string(u[:8]) == "\x00\x00\x00atone" {
		for _, b := range u[8:] {
			a.ID = a.ID<<8 | int64(b)
		}
	}
	if s := m.GetSuccess(); s != nil {
		a.Taken, a.Revision, a.NoStream = true, s.GetCurrentRevision(), s.GetNoStream() != nil
		a.Position = ReadPosition(s.GetPosition().GetCommitPosition())
	}
	return a, nil
}

func batchAnswers(t testing.TB) []*api.BatchAppendResp {
	detail, err := anypb.New(&shared.WrongExpectedVersion{CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: 3}})
	require.NoError(t, err)
	id := &shared.StreamIdentifier{StreamName: []byte("run-a")}
	success := func(s *api.BatchAppendResp_Success) *api.BatchAppendResp {
		return &api.BatchAppendResp{CorrelationId: correlation(7), StreamIdentifier: id, Result: &api.BatchAppendResp_Success_{Success: s},
			ExpectedStreamPosition: &api.BatchAppendResp_StreamPosition{StreamPosition: 4}}
	}
	text := uuid.UUID{3: 'a', 4: 't', 5: 'o', 6: 'n', 7: 'e', 15: 9}
	return []*api.BatchAppendResp{
		success(&api.BatchAppendResp_Success{CurrentRevisionOption: &api.BatchAppendResp_Success_CurrentRevision{CurrentRevision: 5},
			PositionOption: &api.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: 4711, PreparePosition: 4711}}}),
		success(&api.BatchAppendResp_Success{CurrentRevisionOption: &api.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}},
			PositionOption: &api.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}}}),
		success(&api.BatchAppendResp_Success{PositionOption: &api.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: math.MaxUint64}}}),
		{CorrelationId: correlation(8), StreamIdentifier: id,
			Result: &api.BatchAppendResp_Error{Error: &rpcstatus.Status{Code: 9, Message: "WrongExpectedVersion", Details: []*anypb.Any{detail}}}},
		{CorrelationId: &shared.UUID{Value: &shared.UUID_String_{String_: text.String()}}, Result: &api.BatchAppendResp_Error{Error: &rpcstatus.Status{}}},
		{CorrelationId: WireID(uuid.New())},
		{},
	}
}

func TestAnswersToBatchesAreReadAsTheGeneratedCodeReadsThem(t *testing.T) {
	t.Parallel()
	var got BatchAnswer
	for _, m := range batchAnswers(t) {
		want, err := generatedBatchAnswer(encoded(t, m))
		require.NoError(t, err)
		require.NoError(t, got.unmarshal(encoded(t, m)))
		requireSameAnswer(t, want, got)
	}
}

func requireSameAnswer(t *testing.T, want, got BatchAnswer) {
	t.Helper()
	require.True(t, proto.Equal(want.Refused, got.Refused), "%v\n%v", want.Refused, got.Refused)
	want.Refused, got.Refused = nil, nil
	require.Equal(t, want, got)
}

func FuzzBatchAnswer(f *testing.F) {
	for _, m := range batchAnswers(f) {
		f.Add(encoded(f, m))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		var got BatchAnswer
		err := got.unmarshal(message)
		if want, wantErr := generatedBatchAnswer(message); wantErr == nil {
			require.NoError(t, err)
			requireSameAnswer(t, want, got)
		}
	})
}

// BenchmarkBatch writes an append of two events of usual size, by hand and by the generated code.
func BenchmarkBatch(b *testing.B) {
	e := domain.NewEvent{ID: uuid.New(), Type: "order.paid", Data: make([]byte, 400), Metadata: make([]byte, 200)}
	batch := Batch{ID: 7, Stream: "run-" + uuid.NewString(), Expected: 3, Events: []domain.NewEvent{e, e}}
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			batch.Encode().buffer.Free()
		}
	})
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := proto.Marshal(generatedBatch(batch))
			require.NoError(b, err)
		}
	})
}
