package explore

import (
	"context"
	"net"
	"sync"
	"time"
)

// Dial returns a dialer whose connections serve answers, one goroutine each, without sockets. Each
// request on a connection, which is what is written after something was read, may never leave, or
// its answer may be lost. serve returns when the connection is closed.
func (e *Edges) Dial(serve func(net.Conn)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var c net.Conn
		err := e.Call("connect to "+addr, func() error {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				serve(far)
			}()
			c = &conn{Conn: near, e: e, addr: addr, read: true}
			return nil
		})
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

// conn is the near side of a connection.
type conn struct {
	net.Conn
	e    *Edges
	addr string

	mu   sync.Mutex
	read bool  // since the last request
	cut  error // what reads return from now on
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (n int, err error) {
	c.mu.Lock()
	first, cut := c.read, c.cut
	c.read = false
	c.mu.Unlock()
	if cut != nil {
		return 0, cut
	}
	if !first {
		return c.Conn.Write(b)
	}
	sent := false
	err = c.e.Call("request to "+c.addr, func() error {
		sent = true
		n, err = c.Conn.Write(b)
		return err
	})
	if err != nil && sent && n == len(b) {
		// It was sent; its answer, which says that the other side is done with it, is lost.
		_ = c.Conn.SetReadDeadline(time.Now().Add(answerLimit))
		_, _ = c.Conn.Read(make([]byte, 4096))
		c.sever(err)
		return n, nil
	}
	if err != nil {
		c.sever(err)
	}
	return n, err
}

// answerLimit bounds the wait for an answer that is to be lost.
const answerLimit = time.Second

func (c *conn) sever(err error) {
	c.mu.Lock()
	c.cut = err
	c.mu.Unlock()
	_ = c.Conn.Close()
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = true
	if c.cut != nil {
		return 0, c.cut
	}
	return n, err
}
