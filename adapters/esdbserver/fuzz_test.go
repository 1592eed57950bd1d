package esdbserver_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/memlog"
)

// bytesCodec sends what the fuzzer made, as it is.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (bytesCodec) Name() string                       { return "proto" }

// panics counts the panics that the server reports.
type panics struct {
	slog.Handler
	seen atomic.Pointer[slog.Record]
}

func (p *panics) Enabled(context.Context, slog.Level) bool { return true }
func (p *panics) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panic") {
		p.seen.Store(&r)
	}
	return nil
}
func (p *panics) WithAttrs([]slog.Attr) slog.Handler { return p }
func (p *panics) WithGroup(string) slog.Handler      { return p }

var fuzzMethods = []string{
	"/event_store.client.streams.Streams/Read",
	"/event_store.client.streams.Streams/Append",
	"/event_store.client.streams.Streams/BatchAppend",
	"/event_store.client.streams.Streams/Delete",
	"/event_store.client.streams.Streams/Tombstone",
	"/event_store.client.persistent_subscriptions.PersistentSubscriptions/Create",
	"/event_store.client.persistent_subscriptions.PersistentSubscriptions/Update",
	"/event_store.client.persistent_subscriptions.PersistentSubscriptions/Delete",
	"/event_store.client.persistent_subscriptions.PersistentSubscriptions/Read",
	"/event_store.client.persistent_subscriptions.PersistentSubscriptions/GetInfo",
	"/event_store.client.persistent_subscriptions.PersistentSubscriptions/ReplayParked",
	"/event_store.client.persistent_subscriptions.PersistentSubscriptions/List",
	"/event_store.client.gossip.Gossip/Read",
	"/event_store.client.projections.Projections/Enable",
}

// FuzzRequests sends any two messages to any method: whatever they are, the server answers,
// and nothing in it panics.
func FuzzRequests(f *testing.F) {
	seed := func(method uint8, messages ...proto.Message) {
		var raw [2][]byte
		for i, m := range messages {
			raw[i], _ = proto.Marshal(m)
		}
		f.Add(method, raw[0], raw[1])
	}
	for method := range fuzzMethods {
		f.Add(uint8(method), []byte{}, []byte{})
		f.Add(uint8(method), []byte{0x0a, 0x00}, []byte{0x12, 0x00})
	}
	read := allFromStart()
	read.CountOption = &streams.ReadReq_Options_Count{Count: 10}
	read.UuidOption = &streams.ReadReq_Options_UUIDOption{}
	read.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_EventType{EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: "^(?!x)"}},
	}}
	seed(0, &streams.ReadReq{Options: read})
	one := streamFromEnd("$ce-s")
	one.CountOption = &streams.ReadReq_Options_Count{Count: 10}
	one.UuidOption, one.ReadDirection, one.ResolveLinks = &streams.ReadReq_Options_UUIDOption{}, streams.ReadReq_Options_Backwards, true
	seed(0, &streams.ReadReq{Options: one})
	seed(1, appendOptions("s-1"), proposal([]byte("x")))
	seed(2, &streams.BatchAppendReq{
		CorrelationId: &shared.UUID{Value: &shared.UUID_String_{String_: "b9cdbd7e-29cc-4b1b-9b6b-4b6f5e4ba8a5"}}, IsFinal: true,
		Options: &streams.BatchAppendReq_Options{
			StreamIdentifier: identifier("s-2"), ExpectedStreamPosition: &streams.BatchAppendReq_Options_Any{},
			DeadlineOption: &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(time.Second)},
		},
	})
	seed(3, &streams.DeleteReq{Options: &streams.DeleteReq_Options{StreamIdentifier: identifier("s-1"), ExpectedStreamRevision: &streams.DeleteReq_Options_Any{}}})
	group := &persistent.CreateReq_Options{
		StreamOption: &persistent.CreateReq_Options_All{All: &persistent.CreateReq_AllOptions{AllOption: &persistent.CreateReq_AllOptions_Start{}}},
		GroupName:    "g", Settings: &persistent.CreateReq_Settings{HistoryBufferSize: 10},
	}
	seed(5, &persistent.CreateReq{Options: group})
	seed(8, &persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
		StreamOption: &persistent.ReadReq_Options_All{}, GroupName: "g", BufferSize: 3,
	}}}, &persistent.ReadReq{Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{Action: 9}}})

	log := &panics{}
	server := esdbtest.Start(f, esdbserver.Config{Log: memlog.New(), Logger: slog.New(log)})
	conn, err := grpc.NewClient(server.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})))
	require.NoError(f, err)
	f.Cleanup(func() { _ = conn.Close() })

	f.Fuzz(func(t *testing.T, method uint8, first, second []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
		call, err := conn.NewStream(ctx, desc, fuzzMethods[int(method)%len(fuzzMethods)])
		require.NoError(t, err)
		// some calls, rightly, wait for more
		defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
		for _, m := range [][]byte{first, second} {
			if call.SendMsg(&m) != nil {
				break
			}
		}
		_ = call.CloseSend()
		for range 5 {
			var answer []byte
			if err := call.RecvMsg(&answer); err != nil {
				require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
				break
			}
		}
		if r := log.seen.Load(); r != nil {
			r.Attrs(func(a slog.Attr) bool { t.Log(a); return true })
			t.Fatal("the server panicked")
		}
	})
}
