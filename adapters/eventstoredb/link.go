package eventstoredb

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/atonehq/atone/domain"
)

// link is one connection to the preferred node. It is replaced when that node is lost
// or does not lead any more; calls under way on the old one end before it is closed.
// It is safe to use concurrently.
type link struct {
	cluster *cluster
	logger  *slog.Logger
	busy    atomic.Int64 // calls under way or waiting for a connection

	// connecting holds one token: whoever has it looks for a node, the others wait for
	// it or for their context.
	connecting chan struct{}

	mu      sync.Mutex
	current *session
	leader  string // where the last node said that the leader is; used once
	closed  bool
}

// session is one gRPC connection and the calls that use it.
type session struct {
	conn    *grpc.ClientConn
	address string
	direct  bool // dialled because it is the only address: gRPC itself reconnects it
	// features are what the node said that it can do; set by the lane that uses the session.
	features *serverfeatures.SupportedMethods
	calls    int  // guarded by link.mu
	retired  bool // guarded by link.mu
}

func newLink(c *cluster, logger *slog.Logger) *link {
	return &link{cluster: c, logger: logger, connecting: make(chan struct{}, 1)}
}

// acquire returns a session to make one call on, finding a node first where there is
// none. Every session that was acquired must be released.
func (l *link) acquire(ctx context.Context) (*session, error) {
	if s, err := l.use(); s != nil || err != nil {
		return s, err
	}
	select {
	case l.connecting <- struct{}{}:
		defer func() { <-l.connecting }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s, err := l.use(); s != nil || err != nil { // somebody else connected meanwhile
		return s, err
	}
	return l.connect(ctx)
}

// use counts a call on the current session, if there is one.
func (l *link) use() (*session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, domain.ErrClosed
	}
	if l.current != nil {
		l.current.calls++
	}
	return l.current, nil
}

// connect finds a node and makes it the current session, with one call on it.
func (l *link) connect(ctx context.Context) (*session, error) {
	l.mu.Lock()
	address := l.leader
	l.leader = ""
	l.mu.Unlock()
	_, clustered := l.cluster.seeds()
	direct := !clustered && address == ""
	if address == "" {
		var err error
		if address, err = l.cluster.discover(ctx); err != nil {
			return nil, &transientError{err: err}
		}
	}
	conn, err := l.cluster.dial(address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = conn.Close()
		return nil, domain.ErrClosed
	}
	l.current = &session{conn: conn, address: address, direct: direct, calls: 1}
	return l.current, nil
}

// release ends a call. A call that failed because of the node makes the next one look
// for another node; failed may be nil.
func (l *link) release(s *session, failed *transientError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.calls--
	if failed != nil && failed.nodeLost && l.current == s && (!s.direct || failed.leader != "" || failed.poisoned) {
		l.logger.Warn("eventstoredb: leaving a node", "address", s.address, "leader", failed.leader, "reason", failed.err)
		l.current, l.leader, s.retired = nil, failed.leader, true
	}
	if s.retired && s.calls == 0 {
		_ = s.conn.Close()
	}
}

// close ends the link and the calls on it.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if s := l.current; s != nil {
		// Calls that are under way end at once; their release finds nothing left to close.
		_ = s.conn.Close()
		l.current = nil
	}
}

// outgoing adds what every call sends: that only the leader may answer.
func (l *link) outgoing(ctx context.Context, leader bool) context.Context {
	if !leader && !l.cluster.needsLeader() {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

// withTrailer keeps the trailers of the calls that are made through it, one at a time.
type withTrailer struct {
	grpc.ClientConnInterface
	trailer *metadata.MD
}

// Invoke implements grpc.ClientConnInterface.
func (w withTrailer) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return w.ClientConnInterface.Invoke(ctx, method, args, reply, append(opts, grpc.Trailer(w.trailer))...)
}
