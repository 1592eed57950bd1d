package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/cenkalti/backoff/v5"

	"github.com/atonehq/atone/domain"
)

// pause is the backoff between attempts of one operation.
type pause struct{ b *backoff.ExponentialBackOff }

func (c Config) newPause() pause {
	return pause{&backoff.ExponentialBackOff{
		InitialInterval: c.RetryInitial, MaxInterval: c.RetryMax, Multiplier: 1.5, RandomizationFactor: 0.5,
	}}
}

// reset makes the next pause a short one again.
func (p pause) reset() { p.b.Reset() }

// wait sleeps for the next pause; it ends early with ctx.
func (p pause) wait(ctx context.Context) {
	timer := time.NewTimer(p.b.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// bind joins the caller's context with the log's life. Its cause is [domain.ErrClosed]
// where the log was closed first.
func (l *Log) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.life, func() { cancel(domain.ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// persist repeats a call on the links of the pool while it fails transiently, until ctx ends.
func (l *Log) persist(ctx context.Context, what string, links *nodes.Pool, do func(context.Context, *nodes.Link, *nodes.Session) error) error {
	err := l.repeat(ctx, func(n int) error {
		chosen, err := links.Pick(n)
		if err != nil {
			return err
		}
		return nodes.Attempt(ctx, chosen, func(ctx context.Context, s *nodes.Session) error { return do(ctx, chosen, s) })
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// puzzles is how often in a row a call with an unexplained failure is repeated: about a second,
// with the pauses.
const puzzles = 6

// repeat makes attempts (0, 1, 2 …) while they fail transiently, until ctx ends.
func (l *Log) repeat(ctx context.Context, try func(n int) error) error {
	var p pause // most calls need none
	var last error
	puzzled := 0
	for n := 0; ; n++ {
		if err := nodes.Ended(ctx, last); err != nil {
			return err
		}
		err := try(n)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			continue // the error of a cancelled call says nothing new
		}
		var transient *nodes.TransientError
		if !errors.As(err, &transient) {
			return err
		}
		if !transient.Puzzling {
			puzzled = 0
		} else if puzzled++; puzzled > puzzles {
			return fmt.Errorf("the server can't handle the request, after %d attempts: %w", puzzled, err)
		}
		last = err
		if p.b == nil {
			p = l.cfg.newPause()
		}
		p.wait(ctx)
	}
}

// undated returns a context that ends with ctx but has no deadline. gRPC tells the server of a
// deadline, and a server whose clock ends the call first answers with what looks like a refusal.
func undated(ctx context.Context) (context.Context, context.CancelFunc) {
	free, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return free, func() {
		stop()
		cancel()
	}
}

// readStream says what kind of call Read is.
var readStream = grpc.StreamDesc{ServerStreams: true}

// readOnce makes one Read call and hands each message to handle until handle returns false, the
// server ends the call (nil) or the call fails. A stream that does not exist ends the call like an
// empty one.
func readOnce(ctx context.Context, s *nodes.Session, outgoing context.Context, request *api.ReadReq, handle func(*wire.Answer) bool) error { //nolint:revive // outgoing is the call's
	outgoing, cancel := undated(outgoing)
	defer cancel() // releases the call where the consumer stops early
	call, err := s.Conn.NewStream(outgoing, &readStream, api.Streams_Read_FullMethodName, wire.Fast)
	if err != nil {
		return nodes.Translate(err, nil)
	}
	if err := call.SendMsg(request); err != nil {
		return nodes.Translate(err, nil)
	}
	if err := call.CloseSend(); err != nil {
		return nodes.Translate(err, nil)
	}
	var m wire.Answer
	for {
		err := call.RecvMsg(&m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("%w", err)
			}
			return nodes.Translate(err, call.Trailer())
		}
		if !handle(&m) {
			return nil
		}
	}
}

// newLink returns a link that is not connected yet.
func (l *Log) newLink() *nodes.Link { return nodes.NewLink(l.cluster, l.cfg.Logger) }
