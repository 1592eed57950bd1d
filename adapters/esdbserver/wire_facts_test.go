package esdbserver_test

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/atonehq/atone/domain"
)

// fact returns the value of a recorded scenario's fact.
func fact[T any](t *testing.T, scenario, name string) (value T) {
	t.Helper()
	for _, c := range recordings(t)[scenario].Calls {
		if c.Fact == name {
			require.NoError(t, json.Unmarshal(c.Value, &value))
			return value
		}
	}
	require.Fail(t, "no such fact", "%s: %s", scenario, name)
	return value
}

func proposalOf(id uuid.UUID) *streams.AppendReq {
	p := proposal([]byte("{}"))
	p.GetProposedMessage().Id = &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	return p
}

func tombstoneRaw(t *testing.T, conn *grpc.ClientConn, stream string, soft bool) {
	t.Helper()
	client, id := streams.NewStreamsClient(conn), identifier(stream)
	var err error
	if soft {
		_, err = client.Delete(within(t), &streams.DeleteReq{Options: &streams.DeleteReq_Options{
			StreamIdentifier: id, ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}}}})
	} else {
		_, err = client.Tombstone(within(t), &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
			StreamIdentifier: id, ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: &shared.Empty{}}}})
	}
	require.NoError(t, err)
}

func expectation(t *testing.T, options *streams.AppendReq_Options, text string) {
	t.Helper()
	switch text {
	case "any":
		options.ExpectedStreamRevision = &streams.AppendReq_Options_Any{Any: &shared.Empty{}}
	case "none":
		options.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	case "exists":
		options.ExpectedStreamRevision = &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}
	case "2^64-1":
		options.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: math.MaxUint64}
	default:
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		options.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: n}
	}
}

var matrixRow = regexp.MustCompile(`^(\w+) +exp=(\S+) +ids=(\w+) +-> (.*)$`)

// The whole table of expected revision x stream state x ids is the real server's.
func TestAppendMatrixIsThatOfARealServer(t *testing.T) {
	t.Parallel()
	n := start(t)
	conn := n.raw()
	for i, row := range fact[[]string](t, "D1-append-matrix", "rows") {
		m := matrixRow.FindStringSubmatch(row)
		require.NotNil(t, m, row)
		state, expected, ids, want := m[1], m[2], m[3], m[4]
		stream := fmt.Sprint("d1-", i)
		first, mid, last := uuid.New(), uuid.New(), uuid.New()
		var original *streams.AppendResp
		if state != "never" {
			var err error
			original, _, err = appendRaw(t, conn, appendOptions(stream), proposalOf(first), proposalOf(mid), proposalOf(last))
			require.NoError(t, err)
		}
		if state == "soft" || state == "tomb" {
			tombstoneRaw(t, conn, stream, state == "soft")
		}
		sets := map[string][]uuid.UUID{
			"new1": {uuid.New()}, "new3": {uuid.New(), uuid.New(), uuid.New()}, "same3": {first, mid, last}, "last": {last},
			"first": {first}, "mid": {mid}, "mixed": {last, uuid.New()}, "newmixed": {uuid.New(), last},
		}
		req := []*streams.AppendReq{appendOptions(stream)}
		expectation(t, req[0].GetOptions(), expected)
		for _, id := range sets[ids] {
			req = append(req, proposalOf(id))
		}
		resp, trailers, err := appendRaw(t, conn, req...)
		assert.JSONEq(t, want, matrixAnswer(t, stream, original, resp, trailers.Get("exception"), err), row)
	}
}

// matrixAnswer renders an answer as the recording's table does.
func matrixAnswer(t *testing.T, stream string, original, resp *streams.AppendResp, exception []string, err error) string {
	t.Helper()
	out := map[string]string{}
	switch success, wrong := resp.GetSuccess(), resp.GetWrongExpectedVersion(); {
	case err != nil:
		s := status.Convert(err)
		out["status"] = map[string]string{"FailedPrecondition": "FAILED_PRECONDITION"}[s.Code().String()]
		out["exception"] = strings.Join(exception, ",")
		out["message"] = strings.ReplaceAll(s.Message(), stream, "STREAM")
	case success != nil:
		out["ok"] = fmt.Sprint(success.GetCurrentRevision())
		at, before := success.GetPosition().GetCommitPosition(), original.GetSuccess().GetPosition().GetCommitPosition()
		switch {
		case success.GetPosition() == nil:
			out["pos"] = "none"
		case at > before:
			out["pos"] = "new"
		case at == before:
			out["pos"] = "orig"
		default:
			out["pos"] = "before-orig"
		}
	default:
		data, err := protojson.Marshal(wrong)
		require.NoError(t, err)
		fields, _ := decoded(data).(map[string]any)
		current, expected := "currentNoStream={}", ""
		for k, v := range fields {
			switch {
			case strings.HasSuffix(k, "2060"):
			case k == "currentRevision":
				current = fmt.Sprintf("currentRevision=%v", v)
			case k == "expectedRevision":
				expected = fmt.Sprintf("expectedRevision=%v", v)
			case strings.HasPrefix(k, "expected"):
				expected = k + "={}"
			}
		}
		out["wev"] = current + " " + expected
	}
	data, err := json.Marshal(out)
	require.NoError(t, err)
	return string(data)
}

// Batches of one call: successes come in the order of the log, refusals may overtake, and what
// follows a refusal goes on.
func TestPipelinedBatchesAreAnsweredAsByARealServer(t *testing.T) {
	t.Parallel()
	type answers struct{ Answers []string }
	n := start(t)
	for name, expected := range map[string]func(i int) uint64{
		"consecutive revisions on one stream": func(i int) uint64 { return uint64(i) },
		"consecutive, the 10th wrong": func(i int) uint64 {
			switch {
			case i == 9:
				return 99
			case i > 9:
				return uint64(i - 1)
			}
			return uint64(i)
		},
		"any on one stream": nil,
		"10 streams":        nil,
	} {
		want := fact[answers](t, "F4-batch-pipelining", name).Answers
		b := n.batches()
		number := map[string]int{}
		for i := range want {
			stream := name
			if name == "10 streams" {
				stream = fmt.Sprint(name, i%10)
			}
			req := request(stream, []byte("{}"))
			if expected != nil && expected(i) == 0 {
				req.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{}
			} else if expected != nil {
				req.Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: expected(i) - 1}
			}
			number[req.CorrelationId.String()] = i
			b.send(req)
		}
		var successes, refusals, wanted, refused []string
		for range want {
			a := b.answer()
			i := number[a.CorrelationId.String()]
			if s := a.GetSuccess(); s != nil {
				successes = append(successes, fmt.Sprintf("#%d rev=%d", i, s.GetCurrentRevision()))
			} else {
				refusals = append(refusals, fmt.Sprintf("#%d %s", i, a.GetError().GetMessage()))
			}
		}
		for _, w := range want {
			if strings.Contains(w, "rev=") {
				wanted = append(wanted, w)
			} else {
				refused = append(refused, w)
			}
		}
		require.Equal(t, wanted, successes, name)
		require.Equal(t, refused, refusals, name)
	}
}

// What is not served is answered in the real server's words.
func TestUnservedMethodsAreAnsweredAsByARealServer(t *testing.T) {
	t.Parallel()
	conn := start(t).raw()
	for name, method := range map[string]string{
		"unknown method of a known service": "/event_store.client.streams.Streams/Nothing", "unknown service": "/event_store.client.nothing.Nothing/Nothing",
	} {
		want := fact[struct {
			Code    int
			Message string
		}](t, "I1-features-gossip", name)
		err := conn.Invoke(within(t), method, &shared.Empty{}, &shared.Empty{})
		require.EqualValues(t, want.Code, status.Code(err), name)
		require.Equal(t, want.Message, status.Convert(err).Message(), name)
	}
}

// A repeat under any expected revision is answered with the first place that its id has.
func TestRepeatOfADuplicatedIDIsAnsweredWithItsFirstPlace(t *testing.T) {
	t.Parallel()
	n := start(t)
	conn, id := n.raw(), uuid.New()
	first, _, err := appendRaw(t, conn, appendOptions("s"), proposalOf(id))
	require.NoError(t, err)
	again := appendOptions("s")
	again.GetOptions().ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: 0}
	second, _, err := appendRaw(t, conn, again, proposalOf(id))
	require.NoError(t, err)
	require.EqualValues(t, 1, second.GetSuccess().GetCurrentRevision(), "at its exact revision no id is looked at")
	repeat, _, err := appendRaw(t, conn, appendOptions("s"), proposalOf(id))
	require.NoError(t, err)
	require.Equal(t, first.GetSuccess().GetCurrentRevision(), repeat.GetSuccess().GetCurrentRevision())
	require.Equal(t, first.GetSuccess().GetPosition().GetCommitPosition(), repeat.GetSuccess().GetPosition().GetCommitPosition())
}

// Categories have what deletes their streams, and apps' own links as they are.
func TestCategoriesListDeletionsAndLinks(t *testing.T) {
	t.Parallel()
	n := start(t)
	conn := n.raw()
	n.appended(n.client(), "order-1", batch(1, "T")...)
	n.appended(n.client(), "$$order-1", metadataEvent(`{"$maxCount":5}`))
	tombstoneRaw(t, conn, "order-1", true)
	n.appended(n.client(), "order-2", batch(1, "T")...)
	_, err := n.log.Append(within(t), "order-3", domain.NoStream,
		domain.NewEvent{ID: uuid.New(), Type: "$>", Data: []byte("0@order-2")}, domain.NewEvent{ID: uuid.New(), Type: "$>", Data: []byte("0@order-2")})
	require.NoError(t, err)
	tombstoneRaw(t, conn, "order-2", false)
	links := func(stream string) (data []string) {
		call := readRaw(t, conn, stream)
		ids := map[string]bool{}
		for {
			m, err := call.Recv()
			if err != nil || m.GetStreamNotFound() != nil {
				return data
			}
			data = append(data, string(m.GetEvent().GetEvent().GetData()))
			ids[m.GetEvent().GetEvent().GetId().String()] = true
			require.Len(t, ids, len(data), "each link has an id of its own")
		}
	}
	tombstone := fmt.Sprintf("%d@order-2", uint64(math.MaxInt64))
	require.Equal(t, []string{"0@order-1", "1@$$order-1", "0@order-2", "0@order-2", "0@order-2", tombstone}, links("$ce-order"))
	require.Equal(t, []string{"1@$$order-1", tombstone}, links("$et-$deleted"))
	require.Equal(t, []string{"0@$$order-1"}, links("$et-$metadata"))
}

// An event that only looks like a link is one like others.
func TestMalformedLinkIsAPlainEvent(t *testing.T) {
	t.Parallel()
	n := start(t)
	_, err := n.log.Append(within(t), "s", domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: "$>", Data: []byte("nonsense")})
	require.NoError(t, err)
	m, err := readRaw(t, n.raw(), "s").Recv()
	require.NoError(t, err)
	require.Nil(t, m.GetEvent().GetLink())
	require.Equal(t, "nonsense", string(m.GetEvent().GetEvent().GetData()))
}

// readRaw reads a stream from its start, resolving links only in streams that are not computed.
func readRaw(t *testing.T, conn *grpc.ClientConn, stream string) streams.Streams_ReadClient {
	t.Helper()
	call, err := streams.NewStreamsClient(conn).Read(within(t), &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: identifier(stream), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}}}},
		CountOption: &streams.ReadReq_Options_Count{Count: 100}, FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		ResolveLinks: !strings.HasPrefix(stream, "$"),
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
	}})
	require.NoError(t, err)
	return call
}
