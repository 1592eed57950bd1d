package wire

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// generatedAnswer is what the generated code makes of a message of a Read call.
func generatedAnswer(message []byte) (Answer, error) {
	var m api.ReadResp
	if err := proto.Unmarshal(message, &m); err != nil {
		return Answer{}, err
	}
	var a Answer
	switch content := m.GetContent().(type) {
	case *api.ReadResp_Event:
		a.Kind, a.Link = Event, ReadPosition(content.Event.GetLink().GetCommitPosition())
		if e := content.Event.GetEvent(); e != nil {
			a.Event, a.Found = Decode(e), true
		}
	case *api.ReadResp_Checkpoint_:
		a.Kind, a.At = Checkpoint, content.Checkpoint.GetCommitPosition()
	case *api.ReadResp_CaughtUp_:
		a.Kind = CaughtUp
	}
	return a, nil
}

// told is what an answer tells its reader.
func told(a Answer) Answer {
	return Answer{Kind: a.Kind, Event: a.Event, Found: a.Found, Link: a.Link, At: a.At}
}

// recordedEvent is an event on the wire.
func recordedEvent(stream string, revision, commit uint64) *api.ReadResp_ReadEvent_RecordedEvent {
	return &api.ReadResp_ReadEvent_RecordedEvent{
		Id: WireID(uuid.New()), StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
		StreamRevision: revision, PreparePosition: commit, CommitPosition: commit,
		Metadata:       map[string]string{MetaType: "order.paid", MetaContentType: ContentJSON, MetaCreated: "17000000000000000"},
		CustomMetadata: []byte(`{"$correlationId":"c"}`), Data: []byte(`{"n":1}`),
	}
}

// answers are messages of Read calls, usual and odd ones.
func answers() []*api.ReadResp {
	binary := recordedEvent("run-b", math.MaxInt64, math.MaxUint64)
	binary.Metadata[MetaContentType] = ContentBinary
	binary.Id = &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}}
	bare := &api.ReadResp_ReadEvent_RecordedEvent{Metadata: map[string]string{"of": "another program", MetaCreated: "yesterday"}}
	noID := recordedEvent("run-c", 0, 7)
	noID.Id = &shared.UUID{Value: &shared.UUID_String_{String_: "no id"}}
	event := func(e, link *api.ReadResp_ReadEvent_RecordedEvent) *api.ReadResp {
		return &api.ReadResp{Content: &api.ReadResp_Event{Event: &api.ReadResp_ReadEvent{Event: e, Link: link,
			Position: &api.ReadResp_ReadEvent_CommitPosition{CommitPosition: 5}}}}
	}
	return []*api.ReadResp{
		event(recordedEvent("run-a", 3, 4711), nil),
		event(recordedEvent("run-a", 4, 4712), nil),
		event(binary, nil), event(bare, nil), event(noID, nil),
		event(recordedEvent("run-a", 5, 4713), recordedEvent("$ce-run", 9, 4800)),
		event(nil, recordedEvent("$ce-run", 9, 4800)), event(nil, nil),
		{Content: &api.ReadResp_Checkpoint_{Checkpoint: &api.ReadResp_Checkpoint{CommitPosition: math.MaxUint64, PreparePosition: 1}}},
		{Content: &api.ReadResp_Checkpoint_{Checkpoint: &api.ReadResp_Checkpoint{}}},
		{Content: &api.ReadResp_CaughtUp_{CaughtUp: &api.ReadResp_CaughtUp{}}},
		{Content: &api.ReadResp_FellBehind_{FellBehind: &api.ReadResp_FellBehind{}}},
		{Content: &api.ReadResp_Confirmation{Confirmation: &api.ReadResp_SubscriptionConfirmation{SubscriptionId: "s"}}},
		{Content: &api.ReadResp_StreamNotFound_{StreamNotFound: &api.ReadResp_StreamNotFound{}}},
		{Content: &api.ReadResp_FirstStreamPosition{FirstStreamPosition: 1}},
		{Content: &api.ReadResp_LastStreamPosition{LastStreamPosition: 1}},
		{Content: &api.ReadResp_LastAllStreamPosition{LastAllStreamPosition: &shared.AllStreamPosition{CommitPosition: 3}}},
		{},
	}
}

// encoded is a message on the wire.
func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return b
}

func TestAnswersAreReadAsTheGeneratedCodeReadsThem(t *testing.T) {
	t.Parallel()
	var got Answer // one for all, as in a call
	for _, m := range answers() {
		want, err := generatedAnswer(encoded(t, m))
		require.NoError(t, err)
		require.NoError(t, got.unmarshal(encoded(t, m)))
		require.Equal(t, want, told(got), "%v", m)
	}
}

// Newer servers add fields; KurrentDB's CaughtUp has a timestamp and positions.
func TestFieldsOfNewerServersArePassedOver(t *testing.T) {
	t.Parallel()
	more := func(m []byte) []byte {
		m = protowire.AppendVarint(protowire.AppendTag(m, 1000, protowire.VarintType), 1)
		m = protowire.AppendFixed64(protowire.AppendTag(m, 1001, protowire.Fixed64Type), 1)
		m = protowire.AppendFixed32(protowire.AppendTag(m, 1002, protowire.Fixed32Type), 1)
		m = protowire.AppendGroup(protowire.AppendTag(m, 1003, protowire.StartGroupType), 1003, nil)
		return protowire.AppendString(protowire.AppendTag(m, 1004, protowire.BytesType), "more")
	}
	in := func(number protowire.Number, m []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), m)
	}
	e := recordedEvent("run-a", 3, 4711)
	var got Answer
	require.NoError(t, got.unmarshal(more(in(1, more(in(1, more(encoded(t, e))))))))
	require.Equal(t, Decode(e), got.Event)
	require.NoError(t, got.unmarshal(more(in(8, more(nil)))))
	require.Equal(t, CaughtUp, got.Kind)
}

func TestAnEventOutlivesItsMessage(t *testing.T) {
	t.Parallel()
	message := encoded(t, answers()[0])
	var got Answer
	require.NoError(t, got.unmarshal(message))
	e := got.Event
	for i := range message {
		message[i] = 0xff
	}
	require.NoError(t, got.unmarshal(encoded(t, answers()[1])))
	require.Equal(t, "run-a", e.Stream)
	require.Equal(t, "order.paid", e.Type)
	require.JSONEq(t, `{"n":1}`, string(e.Data))
	e.Data = append(e.Data, "more"...) // takes nothing from its neighbour
	require.JSONEq(t, `{"$correlationId":"c"}`, string(e.Metadata))
	require.Equal(t, time.Unix(1_700_000_000, 0).UTC(), e.Created)
}

func TestTypesAreRememberedUpToALimit(t *testing.T) {
	t.Parallel()
	var got Answer
	for range 3 * keptTypes {
		e := recordedEvent("s", 0, 1)
		e.Metadata[MetaType] = uuid.NewString()
		require.NoError(t, got.unmarshal(encoded(t, &api.ReadResp{Content: &api.ReadResp_Event{Event: &api.ReadResp_ReadEvent{Event: e}}})))
		require.Equal(t, e.GetMetadata()[MetaType], got.Event.Type)
		require.LessOrEqual(t, len(got.types), keptTypes)
	}
}

// A message that arrived in pieces is read like one that did not.
func TestAMessageInPiecesIsRead(t *testing.T) {
	t.Parallel()
	message := encoded(t, answers()[0])
	var whole, pieces Answer
	require.NoError(t, fastCodec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(message)}, &whole))
	cut := rand.IntN(len(message)) //nolint:gosec // any place will do
	require.NoError(t, fastCodec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(message[:cut]), mem.SliceBuffer(message[cut:])}, &pieces))
	require.Equal(t, told(whole), told(pieces))
	require.Error(t, fastCodec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(message[:len(message)-1])}, &pieces))
	require.NoError(t, fastCodec.Unmarshal(nil, &pieces))
	require.Equal(t, Other, pieces.Kind)
}

// FuzzAnswer compares the reading with the generated code's. The generated code refuses text that
// is not UTF-8; this package reads it, so that one such event can't stop a reader for ever.
func FuzzAnswer(f *testing.F) {
	for _, m := range answers() {
		f.Add(encoded(f, m))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		var got Answer
		err := got.unmarshal(message)
		want, wantErr := generatedAnswer(message)
		if wantErr == nil {
			require.NoError(t, err)
			require.Equal(t, want, told(got))
		}
		if err == nil && got.Found {
			require.LessOrEqual(t, got.Event.Position, MaxPosition)
		}
	})
}

// BenchmarkAnswer reads an event of usual size, by hand and by the generated code.
func BenchmarkAnswer(b *testing.B) {
	m := answers()[0]
	e := m.GetEvent().GetEvent()
	e.Data, e.CustomMetadata = make([]byte, 400), make([]byte, 200)
	message := encoded(b, m)
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		var a Answer
		for b.Loop() {
			require.NoError(b, a.unmarshal(message))
		}
	})
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := generatedAnswer(message)
			require.NoError(b, err)
		}
	})
}
