package badnet

import (
	"io"
	"net"
	"time"
)

// Fault is something that a [Proxy] does to a connection.
type Fault string

// The faults. Those on the way of the answers come after the request has arrived, wholly or in
// part.
const (
	None           Fault = "none"
	ResetAtOnce    Fault = "reset at once"     // the connection is reset as soon as it is accepted
	NeverAnswers   Fault = "never answers"     // it is accepted, and nobody ever answers
	ResetRequest   Fault = "reset in request"  // it is reset in the middle of a request
	ResetAnswer    Fault = "reset in answer"   // it is reset in an answer, or before one
	CutAnswer      Fault = "cut in answer"     // the same, with an orderly end of what comes back
	HalfOpenAnswer Fault = "half-open answers" // requests arrive, answers do not come
	HalfOpen       Fault = "half-open"         // nothing more arrives, either way, without a word
	CloseRequests  Fault = "closed requests"   // requests are closed, answers stay open
	StallRequest   Fault = "stalled request"   // a request is held up
	StallAnswer    Fault = "stalled answer"    // an answer is held up
	Slow           Fault = "slow"              // both ways, each piece is held up a little
)

// All are all faults.
var All = []Fault{ResetAtOnce, NeverAnswers, ResetRequest, ResetAnswer, CutAnswer, HalfOpenAnswer, HalfOpen, CloseRequests,
	StallRequest, StallAnswer, Slow}

// act is what happens to one way of a connection when so many bytes have gone it.
type act struct {
	after int // -1 for never
	what  Fault
}

func (f Fault) onRequests(where int) act {
	switch f {
	case ResetRequest, StallRequest, CloseRequests, HalfOpen, Slow:
		return act{where, f}
	}
	return act{after: -1}
}

func (f Fault) onAnswers(where int) act {
	switch f {
	case ResetAnswer, CutAnswer, HalfOpenAnswer, HalfOpen, StallAnswer, Slow:
		return act{where, f}
	}
	return act{after: -1}
}

// link is a connection from a client to a server.
type link struct {
	client, server net.Conn
	stall          time.Duration
}

// pass copies one way, through out, and does what is to be done where it is due. Where one end
// closes its way, so does the other. But a client whose answers no longer come is not told that the
// server has gone, either.
func (l *link) pass(to, from net.Conn, out writer, a act) {
	told := true
	defer func() {
		out.end()
		if told {
			closeWrite(to)
		}
	}()
	buffer := make([]byte, 16<<10)
	for passed := 0; ; {
		n, err := from.Read(buffer)
		data := buffer[:n]
		if a.after >= 0 && passed+n > a.after {
			head := max(0, a.after-passed)
			if _, err := out.Write(data[:head]); err != nil {
				return
			}
			data = data[head:]
			if !l.misbehave(to, from, &a, data) {
				told = to != l.client || a.what != HalfOpen && a.what != HalfOpenAnswer
				return
			}
		}
		passed += n
		if _, werr := out.Write(data); err != nil || werr != nil {
			return
		}
	}
}

// misbehave reports whether the way goes on afterwards.
func (l *link) misbehave(to, from net.Conn, a *act, data []byte) bool {
	switch a.what {
	case ResetRequest, ResetAnswer:
		reset(l.client)
		reset(l.server)
		return false
	case CutAnswer:
		_ = to.Close()
		_, _ = io.Copy(io.Discard, from)
		return false
	case HalfOpenAnswer, HalfOpen:
		_, _ = io.Copy(io.Discard, from) // the rest goes nowhere
		return false
	case CloseRequests:
		return false
	case Slow:
		time.Sleep(time.Duration(len(data)%7) * time.Millisecond)
		return true
	}
	time.Sleep(l.stall) // once
	a.after = -1
	return true
}

// closeWrite ends one way of a connection.
func closeWrite(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}

// reset ends a connection without a word in order.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
