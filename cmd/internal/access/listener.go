package access

import (
	"context"
	"net"
	"sync"
)

// pipes is a listener whose connections are pipes in memory. (It does not use grpc's bufconn,
// because there a read deadline that is set and lifted at once, as net/http does after each
// request, may still end a later read.)
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newPipes() *pipes {
	return &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
}

// dial connects to whoever accepts. Errors: [net.ErrClosed], and ctx's.
func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	mine, other := net.Pipe()
	select {
	case p.dialled <- other:
		return mine, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements [net.Listener].
func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "in memory" }
