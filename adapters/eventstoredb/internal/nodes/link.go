package nodes

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/atonehq/atone/domain"
)

// Link is one connection to the preferred node. It is replaced when that node is lost
// or does not lead any more; calls under way on the old one end before it is closed.
// It is safe to use concurrently.
type Link struct {
	cluster *Cluster
	logger  *slog.Logger
	Busy    atomic.Int64 // calls under way or waiting for a connection

	// connecting holds one token: whoever has it looks for a node, the others wait for
	// it or for their context.
	connecting chan struct{}

	mu      sync.Mutex
	current *Session
	leader  string // the leader's address, as the last node told it; used once
	closed  bool
}

// Session is one gRPC connection and the calls that use it.
type Session struct {
	Conn    *grpc.ClientConn
	address string
	direct  bool // dialled because it is the only address: gRPC itself reconnects it
	// Features are what the node said that it can do; set by the lane that uses the session.
	Features *serverfeatures.SupportedMethods
	calls    int  // guarded by link.mu
	retired  bool // guarded by link.mu
}

func NewLink(c *Cluster, logger *slog.Logger) *Link {
	return &Link{cluster: c, logger: logger, connecting: make(chan struct{}, 1)}
}

// Acquire returns a session to make one call on, finding a node first where there is
// none. Every session that was acquired must be released.
func (l *Link) Acquire(ctx context.Context) (*Session, error) {
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
func (l *Link) use() (*Session, error) {
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
func (l *Link) connect(ctx context.Context) (*Session, error) {
	l.mu.Lock()
	address := l.leader
	l.leader = ""
	l.mu.Unlock()
	_, clustered := l.cluster.seeds()
	direct := !clustered && address == ""
	if address == "" {
		var err error
		if address, err = l.cluster.discover(ctx); err != nil {
			return nil, &TransientError{Err: err}
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
	l.current = &Session{Conn: conn, address: address, direct: direct, calls: 1}
	return l.current, nil
}

// Release ends a call. A call that failed because of the node makes the next one look
// for another node; failed may be nil.
func (l *Link) Release(s *Session, failed *TransientError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.calls--
	if failed != nil && failed.NodeLost && l.current == s && (!s.direct || failed.Leader != "" || failed.Poisoned) {
		l.logger.Warn("eventstoredb: leaving a node", "address", s.address, "leader", failed.Leader, "reason", failed.Err)
		l.current, l.leader, s.retired = nil, failed.Leader, true
	}
	if s.retired && s.calls == 0 {
		_ = s.Conn.Close()
	}
}

// Close ends the link and the calls on it.
func (l *Link) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if s := l.current; s != nil {
		// Calls that are under way end at once; their release finds nothing left to close.
		_ = s.Conn.Close()
		l.current = nil
	}
}

// Outgoing adds what every call sends: whether only the leader may answer.
func (l *Link) Outgoing(ctx context.Context, leader bool) context.Context {
	if !leader && !l.cluster.needsLeader() {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

// Attempt makes one call on the link. The session is released, and left where the
// call's error says so, when do returns.
func Attempt(ctx context.Context, l *Link, do func(context.Context, *Session) error) error {
	l.Busy.Add(1)
	defer l.Busy.Add(-1)
	s, err := l.Acquire(ctx)
	if err != nil {
		return err
	}
	err = do(ctx, s)
	if ctx.Err() != nil {
		// The caller gave up; that says nothing about the node.
		l.Release(s, nil)
		return err
	}
	var transient *TransientError
	errors.As(err, &transient)
	l.Release(s, transient)
	return err
}
