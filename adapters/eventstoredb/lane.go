package eventstoredb

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// lane is one long BatchAppend call after the other, on a connection that nothing else uses: after
// a call that ended with not-leader, servers fail other calls on its connection. It is safe to use
// concurrently.
type lane struct {
	log *Log
	at  *nodes.Link

	opening chan struct{} // holds a token: one caller opens, the others wait for it
	running sync.WaitGroup

	mu      sync.Mutex
	current *batchCall
	closed  bool
}

func newLane(l *Log, at *nodes.Link) *lane {
	return &lane{log: l, at: at, opening: make(chan struct{}, 1)}
}

// open returns the lane's call, making one where there is none. It fails with errNoBatches where
// the server does not take batches.
func (n *lane) open(ctx context.Context) (*batchCall, error) {
	if c, err := n.usable(); c != nil || err != nil {
		return c, err
	}
	select {
	case n.opening <- struct{}{}:
		defer func() { <-n.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c, err := n.usable(); c != nil || err != nil { // somebody else opened one meanwhile
		return c, err
	}
	return n.dial(ctx)
}

// usable returns the call that is open, if there is one.
func (n *lane) usable() (*batchCall, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, domain.ErrClosed
	}
	if n.current != nil && n.current.ended() {
		return nil, nil
	}
	return n.current, nil
}

// settled waits until the call before has let go of its connection.
func (n *lane) settled(ctx context.Context) error {
	n.mu.Lock()
	before := n.current
	n.mu.Unlock()
	if before == nil {
		return nil
	}
	select {
	case <-before.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dial makes a call on a connection of its own.
func (n *lane) dial(ctx context.Context) (*batchCall, error) {
	if err := n.settled(ctx); err != nil {
		return nil, err
	}
	s, err := n.at.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	c := &batchCall{lane: n, session: s, waiting: make(map[int64]*sent), queue: make(chan *sent, laneQueue), done: make(chan struct{})}
	err = c.begin(ctx)
	if err == nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.closed {
			n.current = c
			n.running.Go(c.write)
			n.running.Go(c.read)
			return c, nil
		}
		c.cancel()
		err = domain.ErrClosed
	}
	var transient *nodes.TransientError
	if ctx.Err() == nil {
		errors.As(err, &transient)
	}
	n.at.Release(s, transient)
	return nil, err
}

// close ends the lane and its call, and waits for both of the call's goroutines.
func (n *lane) close() {
	n.mu.Lock()
	n.closed = true
	c := n.current
	n.mu.Unlock()
	if c != nil {
		c.end(domain.ErrClosed)
	}
	n.at.Close()
	n.running.Wait()
}

// batchStream says what kind of call BatchAppend is.
var batchStream = grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

// laneQueue is how many batches may wait for their turn to be written to the network.
const laneQueue = 256

// batchCall is one BatchAppend call: many batches in flight, each known by its correlation id. It
// is cancelled, never half-closed: servers leave a half-closed call open if they owe it no answer.
type batchCall struct {
	lane    *lane
	session *nodes.Session
	stream  grpc.ClientStream
	cancel  context.CancelFunc
	queue   chan *sent
	done    chan struct{} // closed when the call is over

	// encoding is held while a batch is encoded. The batch lies in its caller's memory, so whoever
	// gives a batch up or ends the call takes this lock first: afterwards nobody reads the batch.
	encoding sync.Mutex
	// answered keeps what answered batches used, for the next ones of this call.
	answered sync.Pool

	mu      sync.Mutex
	last    int64 // the last correlation id
	waiting map[int64]*sent
	heard   time.Time // when the server last said something
	err     error     // why the call is over
}

// sent is a batch on its way to the network, or whose answer is awaited.
type sent struct {
	id     int64
	batch  *batch
	answer chan answered // has room for one
	timer  *time.Timer   // the time that the attempt may take
}

// newSent returns the memory of an answered batch, or new memory.
func (c *batchCall) newSent() *sent {
	if s, ok := c.answered.Get().(*sent); ok {
		return s
	}
	return &sent{answer: make(chan answered, 1), timer: time.NewTimer(time.Hour)}
}

// reuse gives the memory back. Only a batch whose answer came from the server may do so: others may
// still be in the queue, or get an answer late.
func (c *batchCall) reuse(s *sent) {
	s.timer.Stop()
	c.answered.Put(s)
}

// answered is the answer to a batch, or why there is none: the batch is then in doubt.
type answered struct {
	wire.BatchAnswer
	err error
}

// begin opens the call, if the server takes batches. The call outlives ctx, which bounds the
// opening.
func (c *batchCall) begin(ctx context.Context) error {
	life, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	defer context.AfterFunc(ctx, cancel)()
	defer time.AfterFunc(c.lane.log.cfg.AttemptTimeout, cancel).Stop()
	has, err := takesBatches(life, c.session)
	if err == nil && !has {
		err = errNoBatches
	}
	if err == nil {
		c.stream, err = c.session.Conn.NewStream(c.lane.at.Outgoing(life, false), &batchStream, api.Streams_BatchAppend_FullMethodName, wire.Fast)
		if err != nil {
			err = nodes.Translate(err, nil)
		}
	}
	if err == nil && life.Err() != nil {
		err = &nodes.TransientError{Err: status.Error(codes.DeadlineExceeded, "the server did not take the call in time"), NodeLost: true}
	}
	if err != nil {
		cancel()
	}
	return err
}

// send hands the batch to the writer, and starts the time that the attempt may take. It fails when
// the call is over, and with ctx.
func (c *batchCall) send(ctx context.Context, b *batch, timeout time.Duration) (*sent, error) {
	s := c.newSent()
	s.batch = b
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.err
	}
	c.last++
	s.id = c.last
	c.waiting[s.id] = s
	c.mu.Unlock()
	s.timer.Reset(timeout)
	select {
	case c.queue <- s:
		return s, nil
	case <-c.done:
		return s, nil // its answer is there
	case <-ctx.Done():
		s.timer.Stop()
		c.forget(s)
		return nil, ctx.Err()
	}
}

// write sends what is queued. It encodes the batches too: its goroutine's stack has grown once and
// for all, while those of the callers are often new.
func (c *batchCall) write() {
	for {
		select {
		case s := <-c.queue:
			if message, wanted := c.encode(s); wanted && c.stream.SendMsg(message) != nil {
				return // read learns why
			}
		case <-c.done:
			return
		}
	}
}

// encode makes the batch a message. It reports false where nobody waits for it any more.
func (c *batchCall) encode(s *sent) (wire.Encoded, bool) {
	c.encoding.Lock()
	defer c.encoding.Unlock()
	c.mu.Lock()
	wanted := c.waiting[s.id] == s
	c.mu.Unlock()
	if !wanted {
		return wire.Encoded{}, false
	}
	message := (&wire.Batch{ID: s.id, Stream: s.batch.stream, Expected: s.batch.expected, Events: s.batch.events}).Encode()
	c.mu.Lock() // from now on the caller may learn of the batch's end, and change its memory
	defer c.mu.Unlock()
	s.batch = nil
	return message, true
}

// read hands each answer to whoever waits for it, until the call ends.
func (c *batchCall) read() {
	var answer wire.BatchAnswer
	for {
		if err := c.stream.RecvMsg(&answer); err != nil {
			c.over(c.why(err))
			return
		}
		c.mu.Lock()
		s := c.waiting[answer.ID]
		delete(c.waiting, answer.ID)
		c.heard = time.Now()
		c.mu.Unlock()
		if s != nil {
			s.answer <- answered{BatchAnswer: answer}
		}
	}
}

// why says what the end of the call means for the batches in flight.
func (c *batchCall) why(err error) error {
	c.mu.Lock()
	ours := c.err
	c.mu.Unlock()
	if ours != nil {
		return ours // this side ended it: the server's error for a cancelled call says nothing
	}
	if errors.Is(err, io.EOF) {
		return &nodes.TransientError{Err: status.Error(codes.Unavailable, "the server ended the batch call"), NodeLost: true}
	}
	if status.Code(err) == codes.Unimplemented {
		return errNoBatches
	}
	return nodes.Translate(err, c.stream.Trailer())
}

// over settles a call that has ended: each batch in flight is in doubt.
func (c *batchCall) over(err error) {
	c.encoding.Lock()
	c.mu.Lock()
	c.err = err
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	c.encoding.Unlock()
	c.cancel()
	for _, s := range waiting {
		s.answer <- answered{err: err}
	}
	// Whatever ended the call, its connection is not used again.
	left := &nodes.TransientError{Err: err, NodeLost: true, Poisoned: true}
	var transient *nodes.TransientError
	if errors.As(err, &transient) {
		left.Leader = transient.Leader
	}
	c.lane.at.Release(c.session, left)
	close(c.done)
}

// end cancels the call, with the reason that the batches in flight are given.
func (c *batchCall) end(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.cancel()
}

// endIfSilentSince ends the call where the server has said nothing at all since then: the
// connection may lead nowhere.
func (c *batchCall) endIfSilentSince(began time.Time) {
	c.mu.Lock()
	silent := c.heard.Before(began)
	c.mu.Unlock()
	if silent {
		c.end(&nodes.TransientError{Err: status.Error(codes.Unavailable, "the server does not answer on this call"), NodeLost: true})
	}
}

// ended reports whether the call is over or about to be.
func (c *batchCall) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

// forget stops waiting for the batch; its answer, if one comes, is ignored. Once forget has
// returned, nobody reads the batch.
func (c *batchCall) forget(s *sent) {
	c.encoding.Lock()
	defer c.encoding.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, s.id)
}
