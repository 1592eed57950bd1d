package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/projections"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// Server serves a log over the EventStoreDB protocol. Make one with [New].
type Server struct {
	cfg    Config
	db     *streamdb.DB
	auth   *authenticator
	allow  *authorizer
	node   uuid.UUID
	groups *groups.Manager

	served atomic.Bool
	open   *subscriptions
	// closing ends when the server stops: subscriptions, which would never end by
	// themselves, end with it.
	closing context.Context
	close   context.CancelFunc
}

// New returns a server for the configuration, or everything that is wrong with it. It
// starts nothing.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	s := &Server{cfg: cfg, node: uuid.New(), auth: newAuthenticator(cfg.Users, cfg.Anonymous),
		open: newSubscriptions(cfg.MaxSubscriptions, cfg.MaxSubscriptionsPerClient)}
	s.db = streamdb.New(streamdb.Config{
		Log: cfg.Log, Now: cfg.Now, StreamsCached: 100_000, IDsRemembered: cfg.IDsRemembered,
		TailEvents: cfg.TailEvents, TailBytes: cfg.TailBytes, AppendLimit: cfg.MaxMessageSize,
		MetadataChanged: s.metadataChanged,
	})
	s.allow = &authorizer{s.db, shapeOf(cfg.Reserved)}
	s.groups = groups.NewManager(s.db, cfg.Now, cfg.Logger, groupFilter)
	s.closing, s.close = context.WithCancel(context.Background())
	return s, nil
}

// Run listens on Config.Addr and serves until ctx ends. See [Server.Serve].
func (s *Server) Run(ctx context.Context) error {
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen for EventStoreDB clients: %w", err)
	}
	return s.Serve(ctx, lis)
}

// errServed is returned by the second call of [Server.Serve].
var errServed = errors.New("esdbserver: a Server serves once: make another with New")

// Serve serves on the listener until ctx ends, then lets calls in flight finish for up to
// five seconds, ends the subscriptions, closes the listener and returns nil. It returns
// earlier, with an error, when the log or the listener fails for good, and refuses a listener
// beyond loopback unless TLS and users are configured. It may be called once.
func (s *Server) Serve(ctx context.Context, lis net.Listener) error {
	if s.served.Swap(true) {
		return errServed
	}
	defer s.close()
	if err := s.permit(lis.Addr()); err != nil {
		return errors.Join(err, lis.Close())
	}
	if err := s.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return lis.Close()
		}
		return errors.Join(fmt.Errorf("esdbserver: %w", err), lis.Close())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	start := func(what string, run func() error) {
		running.Go(func() {
			if err := run(); err != nil {
				cancel(fmt.Errorf("esdbserver: %s: %w", what, err))
			}
		})
	}
	rpc := s.newGRPC()
	front := newFront(lis, s.cfg, s.httpHandler())
	start("follow the log", func() error { return s.follow(ctx) })
	start("serve gRPC", func() error { return rpc.Serve(front.grpc) })
	start("serve HTTP", front.serveHTTP)
	start("accept connections", front.accept)

	<-ctx.Done()
	s.close()
	s.groups.Close()
	stopWithin(rpc, 5*time.Second)
	front.close()
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// usersStream is a stream that clients expect every database to have.
const usersStream = "$users"

// prepare writes the users stream if it is missing, and starts what works on the log.
func (s *Server) prepare(ctx context.Context) error {
	if err := s.db.Open(ctx); err != nil {
		return err
	}
	first := domain.NewEvent{ID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(usersStream)), Type: "$User", Data: []byte(`"admin"`)}
	_, err := s.db.Append(ctx, usersStream, domain.NoStream, []domain.NewEvent{first})
	if err != nil && !errors.Is(err, domain.ErrConflict) && !errors.Is(err, domain.ErrStreamDeleted) {
		return fmt.Errorf("write the stream %s: %w", usersStream, err)
	}
	return s.groups.Start(ctx)
}

// permit returns an error rather than expose an unprotected log to a network.
func (s *Server) permit(addr net.Addr) error {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() { // only this machine reaches a listener that is not TCP
		return nil
	}
	if s.cfg.TLS == nil || len(s.cfg.Users) == 0 {
		return fmt.Errorf("esdbserver: refusing to serve on %v: beyond loopback, configure TLS and users", addr)
	}
	return nil
}

// follow gives live subscribers new events, and goes on after any temporary failure of the log.
func (s *Server) follow(ctx context.Context) error {
	for {
		err := s.db.Run(ctx)
		if err == nil || errors.Is(err, domain.ErrClosed) {
			return err
		}
		s.cfg.Logger.Error("following the log failed, trying again in a second", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) newGRPC() *grpc.Server {
	var rpc *grpc.Server
	rpc = grpc.NewServer(
		grpc.UnknownServiceHandler(func(_ any, call grpc.ServerStream) error { return unimplemented(rpc, call) }),
		grpc.Creds(handshaken{}),
		grpc.MaxRecvMsgSize(s.cfg.MaxMessageSize),
		grpc.MaxSendMsgSize(32<<20),
		grpc.MaxConcurrentStreams(uint32(s.cfg.MaxSubscriptions)+1000),
		// The clients ping every 10 s; the library's own minimum of 5 min would cut them off.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
	)
	streams.RegisterStreamsServer(rpc, &streamsService{server: s})
	serverfeatures.RegisterServerFeaturesServer(rpc, &featuresService{})
	persistent.RegisterPersistentSubscriptionsServer(rpc, &groupsService{server: s})
	projections.RegisterProjectionsServer(rpc, &projectionsService{})
	gossip.RegisterGossipServer(rpc, &gossipService{server: s})
	return rpc
}

// unimplemented answers a call of a method that is not served, in the original's words.
func unimplemented(rpc *grpc.Server, call grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(call)
	what := "Service"
	if _, known := rpc.GetServiceInfo()[strings.TrimPrefix(path.Dir(method), "/")]; known {
		what = "Method"
	}
	return &wire.RefusalError{Code: codes.Unimplemented, Message: what + " is unimplemented."}
}

// stopWithin lets calls finish for a while, then cuts them off.
func stopWithin(rpc *grpc.Server, grace time.Duration) {
	late := time.AfterFunc(grace, rpc.Stop)
	defer late.Stop()
	rpc.GracefulStop()
}

func (s *Server) unary(ctx context.Context, req any, call *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.panicked(call.FullMethod, r)
		}
		err = wire.Translate(err, operationOf(call.FullMethod))
		wire.SendTrailers(ctx, err)
	}()
	authenticated, err := s.auth.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	return handler(authenticated, req)
}

func (s *Server) stream(srv any, ss grpc.ServerStream, call *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.panicked(call.FullMethod, r)
		}
		err = wire.Translate(err, operationOf(call.FullMethod))
		wire.SendTrailers(ss.Context(), err)
	}()
	ctx, err := s.auth.authenticate(ss.Context())
	if err != nil {
		if call.FullMethod == streams.Streams_Append_FullMethodName {
			drain(&grpc.GenericServerStream[streams.AppendReq, streams.AppendResp]{ServerStream: ss})
		}
		return err
	}
	return handler(srv, &authenticatedStream{ss, ctx})
}

// panicked turns a panic of a call into an error, so that it does not end the process and the log
// in it.
func (s *Server) panicked(method string, reason any) error {
	s.cfg.Logger.Error("a request made the server panic: please report this", "method", method, "panic", reason, "stack", string(debug.Stack()))
	return &wire.RefusalError{Code: codes.Internal, Message: "the server failed: its log says why"}
}

type authenticatedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *authenticatedStream) Context() context.Context { return s.ctx }

// operationOf is the last part of a method's name; the original calls both kinds of
// deletion by one name in its messages, which some clients read.
func operationOf(method string) string {
	if strings.HasSuffix(method, "/Tombstone") {
		return "Delete"
	}
	return path.Base(method)
}
