package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
)

// subscriptions counts the open subscriptions, altogether and for each client, and finds those
// whose readers lose their right.
type subscriptions struct {
	limit, perClient int

	mu       sync.Mutex
	all      int
	byClient map[string]int
	byStream map[string]map[*subscription]struct{}
}

// subscription is one reader's right to one stream, for as long as it is subscribed.
type subscription struct {
	ctx    context.Context // has the caller
	kind   access
	stream string
	end    context.CancelCauseFunc
}

func newSubscriptions(limit, perClient int) *subscriptions {
	return &subscriptions{
		limit: limit, perClient: perClient,
		byClient: map[string]int{}, byStream: map[string]map[*subscription]struct{}{},
	}
}

// clientOf tells clients apart: by user, else by the machine that they call from; anonymous callers
// on this machine by their connection.
func clientOf(ctx context.Context) string {
	if name := callerOf(ctx).name; name != "" {
		return "user " + name
	}
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ""
	}
	if tcp, ok := p.Addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		return tcp.IP.String()
	}
	return p.Addr.String()
}

func (s *subscriptions) add(client string, sub *subscription) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.limit {
		return &wire.RefusalError{Code: codes.ResourceExhausted, Message: fmt.Sprintf("the server's limit of %d subscriptions is reached: end some", s.limit)}
	}
	if s.byClient[client] >= s.perClient {
		return &wire.RefusalError{Code: codes.ResourceExhausted, Message: fmt.Sprintf("this client's limit of %d subscriptions is reached: end some, or subscribe to $all once", s.perClient)}
	}
	s.all++
	s.byClient[client]++
	if s.byStream[sub.stream] == nil {
		s.byStream[sub.stream] = map[*subscription]struct{}{}
	}
	s.byStream[sub.stream][sub] = struct{}{}
	return nil
}

func (s *subscriptions) remove(client string, sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.byClient[client]--; s.byClient[client] == 0 {
		delete(s.byClient, client)
	}
	delete(s.byStream[sub.stream], sub)
	if len(s.byStream[sub.stream]) == 0 {
		delete(s.byStream, sub.stream)
	}
}

func (s *subscriptions) of(stream string) []*subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*subscription, 0, len(s.byStream[stream]))
	for sub := range s.byStream[stream] {
		out = append(out, sub)
	}
	return out
}

// errAccessTaken ends a subscription whose reader may not read its stream any more.
var errAccessTaken = errors.New("access was taken away")

// metadataChanged ends the subscriptions to the stream whose readers have no right under its new
// $acl.
func (s *Server) metadataChanged(stream string) {
	open := s.open.of(stream)
	if len(open) == 0 {
		return
	}
	go func() { // reading metadata must not hold up those who follow the log
		for _, sub := range open {
			if ok, err := s.allow.allowed(sub.ctx, sub.kind, stream); err == nil && !ok {
				sub.end(errAccessTaken)
			}
		}
	}()
}

// subscribe counts a subscription to the stream. Its context ends with the call, with the server,
// or with the caller's right; done must be called when the subscription has ended.
func (s *Server) subscribe(ctx context.Context, kind access, stream string) (_ context.Context, done func(), _ error) {
	client := clientOf(ctx)
	ctx, end := context.WithCancelCause(ctx)
	sub := &subscription{ctx: ctx, kind: kind, stream: stream, end: end}
	if err := s.open.add(client, sub); err != nil {
		end(nil)
		return nil, nil, err
	}
	stop := context.AfterFunc(s.closing, func() { end(context.Canceled) })
	return ctx, func() { stop(); end(nil); s.open.remove(client, sub) }, nil
}

// subscriptionEnded turns the end of a subscription's context into what its client is told.
func (s *Server) subscriptionEnded(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errAccessTaken) {
		return wire.AccessDenied()
	}
	if s.closing.Err() != nil && errors.Is(err, context.Canceled) {
		return &wire.RefusalError{Code: codes.Unavailable, Message: "the server is stopping"}
	}
	return err
}

// checkpointInterval is the multiplier times the window; a window of zero stands for the default.
func checkpointInterval(window, multiplier uint32) int {
	if window == 0 {
		window = wire.DefaultWindow
	}
	return int(min(uint64(window)*uint64(max(multiplier, 1)), math.MaxInt32))
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
