package esdbserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// handshakeTimeout bounds how long a new connection may take to say what it is.
const handshakeTimeout = 10 * time.Second

// front accepts connections and hands each to the gRPC or the HTTP/1 server. On plaintext the first
// bytes decide (gRPC is HTTP/2 with prior knowledge, "PRI * HTTP/2.0"). On TLS the offered
// protocols decide: a client that offers HTTP/1.1 (browsers, curl, health checks) gets it; one that
// offers only h2 is a gRPC client.
type front struct {
	lis        net.Listener
	tls        *tls.Config
	grpc       *queue
	http1      *queue
	httpServer *http.Server
	slots      chan struct{}

	mu     sync.Mutex
	fresh  map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

func newFront(lis net.Listener, cfg Config, handler http.Handler) *front {
	f := &front{
		lis: lis, grpc: newQueue(lis.Addr()), http1: newQueue(lis.Addr()), fresh: map[net.Conn]struct{}{},
		slots: make(chan struct{}, cfg.MaxConnections),
		httpServer: &http.Server{
			Handler: handler, ReadHeaderTimeout: handshakeTimeout, ReadTimeout: 30 * time.Second,
			WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		},
	}
	if cfg.TLS != nil {
		f.tls = cfg.TLS.Clone()
		f.tls.NextProtos = []string{"h2", "http/1.1"}
		f.tls.GetConfigForClient = preferHTTP1(f.tls)
	}
	return f
}

// preferHTTP1 answers clients that offer HTTP/1.1 with it.
func preferHTTP1(base *tls.Config) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	http1 := base.Clone()
	http1.NextProtos = []string{"http/1.1"}
	return func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, "http/1.1") {
			return http1, nil
		}
		return nil, nil
	}
}

// accept runs until the listener is closed.
func (f *front) accept() error {
	defer f.wg.Wait()
	for {
		conn, err := f.lis.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			var passing interface{ Temporary() bool }
			if errors.As(err, &passing) && passing.Temporary() {
				time.Sleep(10 * time.Millisecond) // out of descriptors: some will be closed
				continue
			}
			return err
		}
		select {
		case f.slots <- struct{}{}:
		default:
			_ = conn.Close() // over the limit: the client will try again
			continue
		}
		conn = &countedConn{Conn: conn, release: sync.OnceFunc(func() { <-f.slots })}
		if !f.track(conn) {
			return nil
		}
		f.wg.Go(func() { f.route(conn) })
	}
}

// track remembers a connection that is not handed over yet, so that close can end it.
func (f *front) track(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		_ = conn.Close()
		return false
	}
	f.fresh[conn] = struct{}{}
	return true
}

// route finds out what the connection speaks and hands it over.
func (f *front) route(conn net.Conn) {
	defer func() {
		f.mu.Lock()
		delete(f.fresh, conn)
		f.mu.Unlock()
	}()
	deadline := time.Now().Add(handshakeTimeout)
	if err := conn.SetDeadline(deadline); err != nil {
		_ = conn.Close()
		return
	}
	routed, to := f.identify(conn)
	if routed == nil || conn.SetDeadline(time.Time{}) != nil || !to.put(routed) {
		_ = conn.Close()
	}
}

func (f *front) identify(conn net.Conn) (net.Conn, *queue) {
	if f.tls != nil {
		secure := tls.Server(conn, f.tls)
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		defer cancel()
		if secure.HandshakeContext(ctx) != nil {
			return nil, nil
		}
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			return secure, f.grpc
		}
		return secure, f.http1
	}
	r := bufio.NewReaderSize(conn, 16)
	start, err := r.Peek(3) // no HTTP/1 method begins with PRI
	if err != nil {
		return nil, nil
	}
	peeked := &peekedConn{Conn: conn, r: r}
	if string(start) == "PRI" {
		return peeked, f.grpc
	}
	return peeked, f.http1
}

func (f *front) serveHTTP() error {
	if err := f.httpServer.Serve(f.http1); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// close ends everything that accept and serveHTTP run.
func (f *front) close() {
	f.mu.Lock()
	f.closed = true
	for conn := range f.fresh {
		_ = conn.Close()
	}
	f.mu.Unlock()
	_ = f.lis.Close()
	_ = f.grpc.Close()
	_ = f.httpServer.Close()
}

// peekedConn is a connection whose first bytes were looked at.
type peekedConn struct {
	net.Conn
	r *bufio.Reader
}

// Read reads what was looked at, then the connection itself.
func (c *peekedConn) Read(p []byte) (int, error) {
	if c.r == nil {
		return c.Conn.Read(p)
	}
	n, err := c.r.Read(p)
	if c.r.Buffered() == 0 {
		c.r = nil
	}
	return n, err
}

// countedConn gives its place back when closed.
type countedConn struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (c *countedConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// queue is the listener of a server behind the front.
type queue struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newQueue(addr net.Addr) *queue {
	return &queue{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (q *queue) put(conn net.Conn) bool {
	select {
	case q.conns <- conn:
		return true
	case <-q.closed:
		return false
	}
}

// Accept implements net.Listener.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

// Addr implements net.Listener.
func (q *queue) Addr() net.Addr { return q.addr }

// handshaken tells gRPC that a connection's TLS handshake was made by the front.
type handshaken struct{}

// ServerHandshake implements credentials.TransportCredentials.
func (handshaken) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if secure, ok := conn.(*tls.Conn); ok {
		info := credentials.TLSInfo{
			State:          secure.ConnectionState(),
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		}
		return conn, info, nil
	}
	return conn, plaintext{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}, nil
}

type plaintext struct{ credentials.CommonAuthInfo }

// AuthType implements credentials.AuthInfo.
func (plaintext) AuthType() string { return "plaintext" }

// ClientHandshake implements credentials.TransportCredentials; servers never call it.
func (handshaken) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("esdbserver: these credentials are for servers only")
}

// Info implements credentials.TransportCredentials.
func (handshaken) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "esdbserver"}
}

// Clone implements credentials.TransportCredentials.
func (h handshaken) Clone() credentials.TransportCredentials { return h }

// OverrideServerName implements credentials.TransportCredentials.
func (handshaken) OverrideServerName(string) error { return nil }
