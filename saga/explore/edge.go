package explore

import (
	"context"
	"errors"
	"net"
	"net/smtp"
	"os"
	"syscall"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	inner "github.com/atonehq/atone/saga/internal/explore"
)

// Edges is where handlers reach the world: have them use what its methods hand out. At each call to
// the other side the world may then answer otherwise: the request never leaves, the answer is lost,
// the process dies before or after. A handler that uses none of it is explored as a whole: it is
// called or not, and its answer arrives or does not. Calls outside of handlers go through.
type Edges struct{ in *inner.Edges }

// Now returns the time in the schedule that is played.
func (e *Edges) Now() time.Time { return e.in.Now() }

// errDied is what a handler sees of its calls when its process has died: whatever it does then has
// no effect.
var errDied = errors.New("the process died")

// errRefused and errReset are errors as the network gives them: the first before
// anything was sent, the second while waiting for an answer.
var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
)

// cross passes a call to the other side. further are answers of the other side besides the usual
// ones; answer gives the error of one that was chosen, and may call far.
func (e *Edges) cross(what string, far func() error, answer func(Answer) error, further ...Answer) error {
	switch a := e.in.Cross(what, further...); a {
	case inner.OK:
		return far()
	case inner.NeverLeft:
		return errRefused
	case inner.AnswerLost:
		_ = far()
		return errReset
	case inner.TimedOut:
		return context.DeadlineExceeded
	case inner.TimedOutDone:
		_ = far()
		return context.DeadlineExceeded
	case inner.Died:
		return errDied
	case inner.DiedDone:
		_ = far()
		return errDied
	default:
		return answer(a)
	}
}

// Call passes a call of a fake of the author's own: what names it for people, far does what the
// other side does. Its errors are those of a network.
func (e *Edges) Call(what string, far func() error) error { return e.cross(what, far, nil) }

// Publisher returns a publisher that publishes through p: the broker may refuse a message, or store
// it and not say so.
func (e *Edges) Publisher(p message.Publisher) message.Publisher { return publisher{e, p} }

type publisher struct {
	e *Edges
	message.Publisher
}

// Publish implements message.Publisher.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	return p.e.Call("publish to "+topic, func() error { return p.Publisher.Publish(topic, messages...) })
}

// SendMail returns a sender in the place of smtp.SendMail. deliver is the mail server: its error is
// the server's answer.
func (e *Edges) SendMail(deliver func(from string, to []string, message []byte) error) func(addr string, a smtp.Auth, from string, to []string, message []byte) error {
	return func(_ string, _ smtp.Auth, from string, to []string, message []byte) error {
		return e.Call("mail", func() error { return deliver(from, to, message) })
	}
}
