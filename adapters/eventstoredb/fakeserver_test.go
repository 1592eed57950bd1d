package eventstoredb

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	features "github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// fakeServer is a server that tests can stop, start again on the same address, and make
// misbehave. What it stores outlives a stop. Only what these tests need is there.
type fakeServer struct {
	t       testing.TB
	log     *memlog.Log
	address string
	listen  func() net.Listener

	mu      sync.Mutex
	running *grpc.Server
	served  chan struct{}
	// Hooks run at the beginning of a call and decide it where they return an error, or
	// (onRead) true for done. They may be set before the call that they are for.
	onAppend func(api.Streams_AppendServer) error
	onRead   func(*api.ReadReq, api.Streams_ReadServer) (bool, error)
	// onBatch serves BatchAppend; where it is nil the server has no such thing.
	onBatch func(api.Streams_BatchAppendServer) error
	// onFeatures runs while a client asks for the server's features.
	onFeatures func()
	members    []*gossip.MemberInfo
	updates    []*persistent.UpdateReq
	creates    []*persistent.CreateReq
	groups     map[string]*fakeGroup
	info       *persistent.SubscriptionInfo

	accepted atomic.Int64 // connections accepted, ever
	open     atomic.Int64 // connections open now
	noted    chan metadata.MD
}

// errAnswered is what a hook returns that answered the call itself.
var errAnswered = errors.New("answered")

// newFakeServer returns a running server on a port of its own.
func newFakeServer(t testing.TB) *fakeServer {
	t.Helper()
	f := &fakeServer{t: t, log: memlog.New(), noted: make(chan metadata.MD, 1000)}
	f.listen = func() net.Listener {
		address := f.address
		if address == "" {
			address = "127.0.0.1:0"
		}
		// While the server was down, another connection of this machine may have got its port.
		var l net.Listener
		require.Eventually(t, func() bool {
			var err error
			l, err = net.Listen("tcp", address)
			return err == nil
		}, time.Minute, 10*time.Millisecond, "listen on %s", address)
		f.address = l.Addr().String()
		return l
	}
	f.start()
	t.Cleanup(f.stop)
	return f
}

// connection is the string that reaches the server directly.
func (f *fakeServer) connection() string { return "esdb://" + f.address + "?tls=false" }

// start serves, on the same address as before.
func (f *fakeServer) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := grpc.NewServer(grpc.MaxRecvMsgSize(nodes.MaxReceive), grpc.MaxConcurrentStreams(100),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainStreamInterceptor(f.note))
	api.RegisterStreamsServer(s, fakeStreams{fakeServer: f})
	gossip.RegisterGossipServer(s, fakeGossip{fakeServer: f})
	features.RegisterServerFeaturesServer(s, fakeFeatures{fakeServer: f})
	persistent.RegisterPersistentSubscriptionsServer(s, fakeGroups{fakeServer: f})
	l := countingListener{f.listen(), f}
	f.running, f.served = s, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		_ = s.Serve(l)
	}(f.served)
}

// stop breaks all connections, as a killed server does.
func (f *fakeServer) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running != nil {
		f.running.Stop()
		<-f.served
		f.running = nil
	}
}

// hook sets a hook under the lock.
func (f *fakeServer) hook(set func(*fakeServer)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set(f)
}

// note keeps the headers of every streaming call.
func (f *fakeServer) note(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	select {
	case f.noted <- md:
	default:
	}
	return next(srv, stream)
}

func (f fakeStreams) Append(call api.Streams_AppendServer) error {
	f.mu.Lock()
	hook := f.onAppend
	f.mu.Unlock()
	if hook != nil {
		if err := hook(call); errors.Is(err, errAnswered) {
			return nil
		} else if err != nil {
			return err
		}
	}
	first, err := call.Recv()
	if err != nil {
		return err
	}
	var events []domain.NewEvent
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		p := m.GetProposedMessage()
		events = append(events, domain.NewEvent{ID: wire.ReadID(p.GetId()), Type: p.GetMetadata()[wire.MetaType],
			Data: p.GetData(), Metadata: p.GetCustomMetadata(), Binary: p.GetMetadata()[wire.MetaContentType] != wire.ContentJSON})
	}
	options := first.GetOptions()
	expected := domain.Expected(options.GetRevision())
	switch options.GetExpectedStreamRevision().(type) {
	case *api.AppendReq_Options_Any:
		expected = domain.AnyRevision
	case *api.AppendReq_Options_NoStream:
		expected = domain.NoStream
	case *api.AppendReq_Options_StreamExists:
		expected = domain.StreamExists
	}
	at, err := f.log.Append(call.Context(), string(options.GetStreamIdentifier().GetStreamName()), expected, events...)
	var conflict *domain.ConflictError
	if errors.As(err, &conflict) {
		wrong := &api.AppendResp_WrongExpectedVersion{CurrentRevisionOption: &api.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}}
		if conflict.Actual >= 0 {
			wrong.CurrentRevisionOption = &api.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(conflict.Actual)}
		}
		return call.SendAndClose(&api.AppendResp{Result: &api.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wrong}})
	}
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return call.SendAndClose(&api.AppendResp{Result: &api.AppendResp_Success_{Success: &api.AppendResp_Success{
		CurrentRevisionOption: &api.AppendResp_Success_CurrentRevision{CurrentRevision: at.Revision},
		PositionOption:        &api.AppendResp_Success_Position{Position: &api.AppendResp_Position{CommitPosition: uint64(at.Position), PreparePosition: uint64(at.Position)}},
	}}})
}

func (f fakeStreams) Read(request *api.ReadReq, call api.Streams_ReadServer) error {
	f.mu.Lock()
	hook := f.onRead
	f.mu.Unlock()
	if hook != nil {
		if done, err := hook(request, call); done || err != nil {
			return err
		}
	}
	o := request.GetOptions()
	ctx, filter := call.Context(), domain.Filter{Prefixes: o.GetFilter().GetStreamIdentifier().GetPrefix()}
	at := domain.Position(o.GetAll().GetPosition().GetCommitPosition())
	if o.GetSubscription() != nil {
		return f.subscribe(call, at, filter)
	}
	read := f.readAllFrom(ctx, at, filter)
	if s := o.GetStream(); s != nil {
		read = f.log.ReadStream(ctx, string(s.GetStreamIdentifier().GetStreamName()), s.GetRevision())
	}
	found, left := false, o.GetCount()
	for e, err := range read {
		if err != nil {
			return status.FromContextError(err).Err()
		}
		found = true
		if err := call.Send(sendEvent(e)); err != nil {
			return err
		}
		if left--; left == 0 {
			break
		}
	}
	if s := o.GetStream(); s != nil && !found {
		return call.Send(&api.ReadResp{Content: &api.ReadResp_StreamNotFound_{StreamNotFound: &api.ReadResp_StreamNotFound{StreamIdentifier: s.GetStreamIdentifier()}}})
	}
	return nil
}

// readAllFrom reads from the position on, inclusively, as the server does.
func (f *fakeServer) readAllFrom(ctx context.Context, from domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		var after domain.Position
		for e, err := range f.log.ReadAllBackward(ctx, from, domain.Filter{}) {
			if err != nil {
				yield(e, err)
				return
			}
			after = e.Position
			break
		}
		f.log.ReadAll(ctx, after, filter)(yield)
	}
}

func (f fakeStreams) subscribe(call api.Streams_ReadServer, after domain.Position, filter domain.Filter) error {
	if err := call.Send(&api.ReadResp{Content: &api.ReadResp_Confirmation{Confirmation: &api.ReadResp_SubscriptionConfirmation{SubscriptionId: "s"}}}); err != nil {
		return err
	}
	for d, err := range f.log.Subscribe(call.Context(), after, filter) {
		if err != nil {
			return status.FromContextError(err).Err()
		}
		m := &api.ReadResp{Content: &api.ReadResp_Checkpoint_{Checkpoint: &api.ReadResp_Checkpoint{CommitPosition: uint64(d.Position), PreparePosition: uint64(d.Position)}}}
		if d.CaughtUp {
			m = &api.ReadResp{Content: &api.ReadResp_CaughtUp_{CaughtUp: &api.ReadResp_CaughtUp{}}}
		} else if d.Event != nil {
			m = sendEvent(*d.Event)
		}
		if err := call.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// sendEvent is the event on the wire.
func sendEvent(e domain.Recorded) *api.ReadResp {
	contentType := wire.ContentJSON
	if e.Binary {
		contentType = wire.ContentBinary
	}
	return &api.ReadResp{Content: &api.ReadResp_Event{Event: &api.ReadResp_ReadEvent{
		Event: &api.ReadResp_ReadEvent_RecordedEvent{
			Id: wire.WireID(e.ID), StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(e.Stream)},
			StreamRevision: e.Revision, CommitPosition: uint64(e.Position), PreparePosition: uint64(e.Position),
			Metadata: map[string]string{wire.MetaType: e.Type, wire.MetaContentType: contentType,
				wire.MetaCreated: strconv.FormatInt(e.Created.UnixNano()/100, 10)},
			Data: e.Data, CustomMetadata: e.Metadata,
		},
		Position: &api.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(e.Position)},
	}}}
}

func (f fakeFeatures) GetSupportedMethods(context.Context, *shared.Empty) (*features.SupportedMethods, error) {
	f.mu.Lock()
	hook := f.onFeatures
	f.mu.Unlock()
	if hook != nil {
		hook()
	}
	supported := &features.SupportedMethods{EventStoreServerVersion: "24.10.0"}
	for _, name := range []string{"create", "update", "getinfo", "list", "replayparked", "restartsubsystem", "read"} {
		supported.Methods = append(supported.Methods, &features.SupportedMethod{
			ServiceName: "event_store.client.persistent_subscriptions.persistentsubscriptions", MethodName: name, Features: []string{"stream", "all"}})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.onBatch != nil {
		supported.Methods = append(supported.Methods, &features.SupportedMethod{ServiceName: "event_store.client.streams.streams", MethodName: "batchappend"})
	}
	return supported, nil
}

func (f fakeStreams) BatchAppend(call api.Streams_BatchAppendServer) error {
	f.mu.Lock()
	hook := f.onBatch
	f.mu.Unlock()
	if hook == nil {
		return status.Error(codes.Unimplemented, "no such method")
	}
	return hook(call)
}

// serveBatches appends batches one after the other, as they come. The hook, where there is one,
// sees each before; it answers the batch itself where it returns true, and ends the call with an
// error.
func (f *fakeServer) serveBatches(hook func(api.Streams_BatchAppendServer, *api.BatchAppendReq) (bool, error)) func(api.Streams_BatchAppendServer) error {
	return func(call api.Streams_BatchAppendServer) error {
		for {
			m, err := call.Recv()
			if err != nil {
				return err
			}
			if hook != nil {
				if done, err := hook(call, m); err != nil {
					return err
				} else if done {
					continue
				}
			}
			if err := call.Send(f.appendBatch(call.Context(), m)); err != nil {
				return err
			}
		}
	}
}

// appendBatch appends a batch and returns the answer.
func (f *fakeServer) appendBatch(ctx context.Context, m *api.BatchAppendReq) *api.BatchAppendResp {
	o, expected := m.GetOptions(), domain.Expected(m.GetOptions().GetStreamPosition())
	switch o.GetExpectedStreamPosition().(type) {
	case *api.BatchAppendReq_Options_Any:
		expected = domain.AnyRevision
	case *api.BatchAppendReq_Options_NoStream:
		expected = domain.NoStream
	case *api.BatchAppendReq_Options_StreamExists:
		expected = domain.StreamExists
	}
	var events []domain.NewEvent
	for _, p := range m.GetProposedMessages() {
		events = append(events, domain.NewEvent{ID: wire.ReadID(p.GetId()), Type: p.GetMetadata()[wire.MetaType],
			Data: p.GetData(), Metadata: p.GetCustomMetadata(), Binary: p.GetMetadata()[wire.MetaContentType] != wire.ContentJSON})
	}
	at, err := f.log.Append(ctx, string(o.GetStreamIdentifier().GetStreamName()), expected, events...)
	var conflict *domain.ConflictError
	switch {
	case errors.As(err, &conflict):
		return refused(m, codes.AlreadyExists, "WrongExpectedVersion", &shared.WrongExpectedVersion{
			CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(conflict.Actual)}})
	case err != nil:
		return refused(m, codes.Unknown, err.Error(), &shared.Unknown{})
	}
	return &api.BatchAppendResp{CorrelationId: m.GetCorrelationId(), StreamIdentifier: o.GetStreamIdentifier(),
		Result: &api.BatchAppendResp_Success_{Success: &api.BatchAppendResp_Success{
			CurrentRevisionOption: &api.BatchAppendResp_Success_CurrentRevision{CurrentRevision: at.Revision},
			PositionOption:        &api.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: uint64(at.Position), PreparePosition: uint64(at.Position)}},
		}}}
}

// refused is the answer to a batch that was refused.
func refused(m *api.BatchAppendReq, code codes.Code, message string, detail proto.Message) *api.BatchAppendResp {
	packed, err := anypb.New(detail)
	if err != nil {
		panic(err)
	}
	return &api.BatchAppendResp{CorrelationId: m.GetCorrelationId(), StreamIdentifier: m.GetOptions().GetStreamIdentifier(),
		Result: &api.BatchAppendResp_Error{Error: &rpcstatus.Status{Code: int32(code), Message: message, Details: []*anypb.Any{packed}}}}
}

func (f fakeGossip) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &gossip.ClusterInfo{Members: f.members}, nil
}

// The services have methods of the same names, so each is a type of its own.
type (
	fakeStreams struct {
		api.UnimplementedStreamsServer
		*fakeServer
	}
	fakeGossip struct {
		gossip.UnimplementedGossipServer
		*fakeServer
	}
	fakeFeatures struct {
		features.UnimplementedServerFeaturesServer
		*fakeServer
	}
	fakeGroups struct {
		persistent.UnimplementedPersistentSubscriptionsServer
		*fakeServer
	}
)

// countingListener counts the server's connections.
type countingListener struct {
	net.Listener
	f *fakeServer
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.f.accepted.Add(1)
	l.f.open.Add(1)
	return &countedConn{Conn: c, f: l.f}, nil
}

type countedConn struct {
	net.Conn
	f    *fakeServer
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.f.open.Add(-1) })
	return c.Conn.Close()
}

// member is a node as gossip tells of it.
func member(state gossip.MemberInfo_VNodeState, address string) *gossip.MemberInfo {
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.ParseUint(port, 10, 16)
	return &gossip.MemberInfo{State: state, IsAlive: true, HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(n)}}
}

// collect drains a read that must not fail.
func collect(t testing.TB, events iter.Seq2[domain.Recorded, error]) []domain.Recorded {
	t.Helper()
	var all []domain.Recorded
	for e, err := range events {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}
