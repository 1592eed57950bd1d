package eventstoredb

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	features "github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// replayServer answers calls as one recorded call was answered, frame by frame, after it compared
// each request with the recorded one. A call that is repeated after a failure gets a good answer.
type replayServer struct {
	api.UnimplementedStreamsServer
	features.UnimplementedServerFeaturesServer
	t    *testing.T
	call recordedCall
	op   *operation

	mu       sync.Mutex
	made     int
	wrong    []string // requests that differ
	answered chan struct{}
	once     sync.Once
}

// replaying returns a log on a server that replays the call. All addresses lead to it, those of
// leaders that it names included.
func replaying(t *testing.T, c recordedCall, op *operation) (*replayServer, *Log) {
	t.Helper()
	r := &replayServer{t: t, call: c, op: op, answered: make(chan struct{})}
	listener := bufconn.Listen(1 << 16)
	s := grpc.NewServer(grpc.MaxRecvMsgSize(nodes.MaxReceive))
	api.RegisterStreamsServer(s, r)
	features.RegisterServerFeaturesServer(s, r)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(s.Stop)
	connection := "esdb://127.0.0.1:2113?tls=false"
	if c.Headers["requires-leader"] != "true" {
		connection += "&nodePreference=random"
	}
	return r, open(t, connection, func(cfg *Config) {
		cfg.UnaryAppends = c.Call != "Streams.BatchAppend"
		cfg.DialOptions = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return listener.DialContext(ctx)
		})}
	})
}

// GetSupportedMethods tells that batches are taken.
func (r *replayServer) GetSupportedMethods(context.Context, *shared.Empty) (*features.SupportedMethods, error) {
	return &features.SupportedMethods{EventStoreServerVersion: "24.2.0", Methods: []*features.SupportedMethod{
		{ServiceName: "event_store.client.streams.streams", MethodName: "batchappend"}}}, nil
}

// begin counts the call.
func (r *replayServer) begin(ctx context.Context) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made++
	md, _ := metadata.FromIncomingContext(ctx)
	want := r.call.Headers["requires-leader"] == "true"
	if got := len(md.Get("requires-leader")) > 0; got != want {
		r.wrong = append(r.wrong, "the header requires-leader")
	}
	return r.made
}

// compare compares a request with the recorded one.
func (r *replayServer) compare(want, got proto.Message) {
	if !proto.Equal(want, got) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.wrong = append(r.wrong, protojson.Format(got)+"\nwhere this was recorded:\n"+protojson.Format(want))
	}
}

// end ends a call as the recorded one ended.
func (r *replayServer) end(call grpc.ServerStream) error {
	r.once.Do(func() { close(r.answered) })
	s := r.call.Status
	if s == nil || s.Local {
		<-call.Context().Done()
		return call.Context().Err()
	}
	call.SetTrailer(metadata.New(s.Trailers))
	return status.Error(codes.Code(s.Code), s.Message)
}

// puzzle reports whether the recorded call ended with an unexplained error, after which it is
// repeated.
func (r *replayServer) puzzle() bool {
	return r.call.Status != nil && r.call.Status.Message == nodes.HandlerThrew
}

// Read answers reads and subscriptions.
func (r *replayServer) Read(got *api.ReadReq, call api.Streams_ReadServer) error {
	recorded := fromWire(r.t, r.call.requests()[0], &api.ReadReq{})
	if got.GetOptions().GetNoFilter() != nil && got.GetOptions().GetAll() != nil && recorded.GetOptions().GetFilter() != nil {
		// A reader from past the end then asks where the end is.
		return call.Send(sendEvent(eventAt(1)))
	}
	n := r.begin(call.Context())
	if n == 1 {
		r.compare(plain(recorded), plain(got))
	}
	if n > 1 && !r.puzzle() {
		r.once.Do(func() { close(r.answered) })
		if r.op.subscription {
			<-call.Context().Done()
		}
		return nil
	}
	for _, raw := range r.call.answers() {
		if err := call.Send(fromWire(r.t, raw, &api.ReadResp{})); err != nil {
			return err
		}
	}
	return r.end(call)
}

// plain leaves out what may differ: the form of ids, the number of events, the window of a filter.
func plain(m *api.ReadReq) proto.Message {
	c := proto.Clone(m).(*api.ReadReq)
	c.Options.UuidOption, c.Options.ControlOption = nil, nil
	if c.Options.GetSubscription() == nil {
		c.Options.CountOption = nil
	}
	if f := c.Options.GetFilter(); f != nil {
		f.Window, f.CheckpointIntervalMultiplier = nil, 0
	}
	if s := c.Options.GetStream(); s != nil && s.GetStart() != nil {
		s.RevisionOption = &api.ReadReq_Options_StreamOptions_Revision{} // the same, said otherwise
	}
	return c
}

// Append answers appends that are calls of their own.
func (r *replayServer) Append(call api.Streams_AppendServer) error {
	n := r.begin(call.Context())
	recorded := r.call.requests()
	for i := 0; ; i++ {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if i < len(recorded) {
			r.compare(withIDs(fromWire(r.t, recorded[i], &api.AppendReq{})), withIDs(m))
		}
	}
	if n > 1 && !r.puzzle() {
		return call.SendAndClose(&api.AppendResp{Result: &api.AppendResp_Success_{Success: &api.AppendResp_Success{
			CurrentRevisionOption: &api.AppendResp_Success_CurrentRevision{},
			PositionOption:        &api.AppendResp_Success_Position{Position: &api.AppendResp_Position{CommitPosition: 1}}}}})
	}
	for _, raw := range r.call.answers() {
		if err := call.SendMsg(fromWire(r.t, raw, &api.AppendResp{})); err != nil {
			return err
		}
	}
	return r.end(call)
}

// withIDs puts the ids of a request into one form.
func withIDs[M proto.Message](m M) M {
	same := func(id *shared.UUID) *shared.UUID { return wire.WireID(wire.ReadID(id)) }
	switch m := any(m).(type) {
	case *api.AppendReq:
		if p := m.GetProposedMessage(); p != nil {
			p.Id = same(p.Id)
		}
	case *api.BatchAppendReq:
		m.CorrelationId = nil
		for _, p := range m.GetProposedMessages() {
			p.Id = same(p.Id)
		}
	}
	return m
}

// BatchAppend answers a batch. It acknowledges batches that are sent again, and all batches on
// repeated calls.
func (r *replayServer) BatchAppend(call api.Streams_BatchAppendServer) error {
	again := r.begin(call.Context()) > 1 && !r.puzzle()
	recorded := fromWire(r.t, r.call.requests()[0], &api.BatchAppendReq{})
	for first := !again; ; first = false {
		got, err := call.Recv()
		if err != nil {
			return err
		}
		r.compare(withIDs(proto.Clone(recorded)), withIDs(proto.Clone(got)))
		answer := &api.BatchAppendResp{Result: &api.BatchAppendResp_Success_{Success: &api.BatchAppendResp_Success{
			CurrentRevisionOption: &api.BatchAppendResp_Success_CurrentRevision{},
			PositionOption:        &api.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: 1}}}}}
		if first {
			if len(r.call.answers()) == 0 {
				return r.end(call)
			}
			answer = fromWire(r.t, r.call.answers()[0], answer)
		}
		answer.CorrelationId = got.GetCorrelationId()
		if err := call.Send(answer); err != nil {
			return err
		}
		r.once.Do(func() { close(r.answered) })
	}
}

// check requires that every request was as recorded.
func (r *replayServer) check() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Positive(r.t, r.made, "the call was not made")
	require.Empty(r.t, r.wrong)
}
