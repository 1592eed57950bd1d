package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// ErrMayBeDone is in the error of an act that was sent and whose answer did not come: nobody knows
// whether it was done.
var ErrMayBeDone = errors.New("it may have been done")

// Patience says what happens while a server has a request and does not answer it. Live streams are
// not concerned, and waits for a run last longer by the time that they ask for.
type Patience struct {
	// Notice is how long a request is unanswered when Tell is called; 0 means never.
	Notice time.Duration
	// Tell is told whether the request is an act, which may have been done all the same. It is
	// called from other goroutines.
	Tell func(acts bool)
	// Reads is how long a request that only reads waits for the answer to begin; 0 means for ever.
	// Its error is then a [SilentError].
	Reads time.Duration
}

// SilentError means that the server has the request and has not answered it for so long.
type SilentError struct{ For time.Duration }

// Error implements error.
func (e *SilentError) Error() string { return fmt.Sprintf("it has not answered for %v", e.For) }

// acts reports whether the request changes something.
func (r *request) acts() bool { return r.method != http.MethodGet && !r.reads }

// patiently sends a request as the client's patience has it.
func (c *Client) patiently(req *http.Request, r *request) (*http.Response, error) {
	p := &c.cfg.Patience
	if r.header.Get("Accept") == "text/event-stream" {
		return c.cfg.HTTP.Do(req)
	}
	if p.Notice > 0 && p.Tell != nil {
		defer time.AfterFunc(p.Notice+r.wait, func() { p.Tell(r.acts()) }).Stop()
	}
	if p.Reads <= 0 || r.acts() {
		return c.cfg.HTTP.Do(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	within := p.Reads + r.wait
	limit := time.AfterFunc(within, func() { cancel(&SilentError{For: within}) })
	res, err := c.cfg.HTTP.Do(req.WithContext(ctx))
	if limit.Stop(); err != nil {
		cancel(nil)
		return nil, err
	}
	res.Body = &body{res.Body, cancel}
	return res, nil
}

// body is a response's body that ends the request's context when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// unanswered reports whether the error of a request leaves open if the server got it: all but a
// refusal of the server, and a connection that could not be made.
func unanswered(err error) bool {
	var failed *url.Error
	var broken *net.OpError
	return errors.Is(err, errUnreadable) || errors.As(err, &failed) && !(errors.As(err, &broken) && broken.Op == "dial")
}
