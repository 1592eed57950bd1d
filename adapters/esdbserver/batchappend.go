package esdbserver

import (
	"context"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/atonehq/atone/domain"
)

const (
	// maxPendingBatches is how many batches of one call may be begun and not finished, and
	// maxPendingBytes how large they may be together: beyond that a batch is refused.
	// maxBatchesInFlight batches, of as many bytes together, may wait for the log: beyond that the
	// client has to wait.
	maxPendingBatches  = 1024
	maxPendingBytes    = 64 << 20
	maxBatchesInFlight = 1024
)

// batchCall is one call of BatchAppend: any number of batches, told apart by their correlation ids,
// each answered when it is appended. Batches for one stream are appended in the order in which they
// were finished; batches for different streams do not wait for each other.
type batchCall struct {
	service *streamsService
	call    streams.Streams_BatchAppendServer
	pending map[uuid.UUID]*pendingBatch
	expired chan uuid.UUID // of batches whose deadline has passed
	size    int            // of all that is pending
	slots   chan struct{}
	room    *semaphore.Weighted // of bytes, for the batches in flight
	inLine  chan inLine
	running sync.WaitGroup

	sending sync.Mutex

	mu sync.Mutex
	// tails has a channel for each stream with batches that could not be put in line at once. It is
	// closed when the last of them is answered.
	tails map[string]chan struct{}
}

// pendingBatch is a batch that is not finished yet.
type pendingBatch struct {
	stream   string
	expected domain.Expected
	option   *streams.BatchAppendReq_Options
	deadline time.Time
	timer    *time.Timer
	events   []domain.NewEvent
	size     appendSize
}

// BatchAppend appends batches of events as they come. The call ends when its client has ended its
// side and the last answer is sent; the original's may stay open for ever.
func (s *streamsService) BatchAppend(call streams.Streams_BatchAppendServer) error {
	b := &batchCall{
		service: s, call: call, pending: map[uuid.UUID]*pendingBatch{}, expired: make(chan uuid.UUID),
		slots: make(chan struct{}, maxBatchesInFlight), inLine: make(chan inLine, maxBatchesInFlight),
		room: semaphore.NewWeighted(maxPendingBytes), tails: map[string]chan struct{}{},
	}
	b.running.Go(b.answerInOrder)
	defer b.running.Wait()
	defer close(b.inLine)
	defer b.stopTimers()
	received := b.receiver()
	for {
		var err error
		select {
		case r := <-received:
			if r.err != nil {
				return ignoreEOF(r.err)
			}
			err = b.handle(r.req)
		case id := <-b.expired:
			err = b.expire(id)
		case <-s.server.closing.Done():
			return s.server.subscriptionEnded(call.Context(), context.Canceled)
		}
		if err != nil {
			return err
		}
	}
}

// expire answers a batch that was not finished in time. The id is in its structured form then,
// whatever the client uses, as with the original. Messages that still come for it are passed over.
func (b *batchCall) expire(id uuid.UUID) error {
	p := b.pending[id]
	if p == nil || p.deadline.After(time.Now()) { // finished meanwhile, or another batch by now
		return nil
	}
	b.forget(id, p)
	return b.refuse(wire.ToUUID(id, true), wire.StreamID(p.stream), context.DeadlineExceeded)
}

func (b *batchCall) stopTimers() {
	for _, p := range b.pending {
		p.timer.Stop()
	}
}

// received is a message of the call, or its end.
type received struct {
	req *streams.BatchAppendReq
	err error
}

// receiver passes on what arrives, so that a call that waits for its client can still end with the
// server. Its goroutine ends with the call.
func (b *batchCall) receiver() <-chan received {
	out := make(chan received)
	go func() {
		for {
			req, err := b.call.Recv()
			select {
			case out <- received{req, err}:
			case <-b.call.Context().Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// handle takes one message, and tells the client what is wrong with it.
func (b *batchCall) handle(req *streams.BatchAppendReq) error {
	if err := b.receive(req); err != nil {
		return b.refuse(req.GetCorrelationId(), b.identifier(req), err)
	}
	return nil
}

// identifier is the stream to be named in the answer to the request.
func (b *batchCall) identifier(req *streams.BatchAppendReq) *shared.StreamIdentifier {
	if id := req.GetOptions().GetStreamIdentifier(); id != nil {
		return id
	}
	if id, err := wire.FromUUID(req.GetCorrelationId()); err == nil && b.pending[id] != nil {
		return wire.StreamID(b.pending[id].stream)
	}
	return nil
}

// receive adds a message to its batch, and appends the batch when it is final. Messages of
// a batch that was refused before are passed over.
func (b *batchCall) receive(req *streams.BatchAppendReq) error {
	id, err := wire.FromUUID(req.GetCorrelationId())
	if err != nil {
		return err
	}
	if req.GetOptions() != nil && b.pending[id] == nil {
		if len(b.pending) >= maxPendingBatches {
			return wire.InvalidArgument("%d batches are begun and not finished: finish some first", maxPendingBatches)
		}
		p, err := b.begin(req.GetOptions())
		if err != nil {
			return err
		}
		b.pending[id] = p
		p.timer = time.AfterFunc(time.Until(p.deadline), func() {
			select {
			case b.expired <- id:
			case <-b.call.Context().Done():
			}
		})
	}
	p := b.pending[id]
	if p == nil {
		return nil
	}
	if err = b.collect(p, req.GetProposedMessages()); err != nil {
		b.forget(id, p)
		req.Options = p.option // for the answer
		return err
	}
	if !req.GetIsFinal() {
		return nil
	}
	b.forget(id, p)
	return b.submit(req.GetCorrelationId(), p)
}

// forget takes a batch out of those that are not finished.
func (b *batchCall) forget(id uuid.UUID, p *pendingBatch) {
	p.timer.Stop()
	delete(b.pending, id)
	b.size -= p.size.all
}

func (b *batchCall) begin(o *streams.BatchAppendReq_Options) (*pendingBatch, error) {
	stream, err := wire.StreamName(o.GetStreamIdentifier())
	if err != nil {
		return nil, err
	}
	if err := b.service.mayWrite(b.call.Context(), stream); err != nil {
		return nil, err
	}
	p := &pendingBatch{stream: stream, option: o}
	if p.deadline, err = b.deadline(o); err != nil {
		return nil, err
	}
	switch v := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		p.expected, err = wire.ExactRevision(v.StreamPosition)
	case *streams.BatchAppendReq_Options_NoStream:
		p.expected = domain.NoStream
	case *streams.BatchAppendReq_Options_Any:
		p.expected = domain.AnyRevision
	case *streams.BatchAppendReq_Options_StreamExists:
		p.expected = domain.StreamExists
	default:
		err = wire.NotValid("BatchAppendReq+Types+Options+ExpectedStreamPositionOneofCase")
	}
	if err == nil && !p.deadline.After(time.Now()) {
		err = context.DeadlineExceeded
	}
	return p, err
}

// deadline returns when the batch has to be finished: the client says so in either of two forms,
// but the server's own limit is the latest. A finished batch has no deadline.
func (b *batchCall) deadline(o *streams.BatchAppendReq_Options) (time.Time, error) {
	limit := time.Now().Add(b.service.server.cfg.WriteTimeout)
	var asked time.Time
	switch v := o.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		asked = v.Deadline_21_10_0.AsTime()
	case *streams.BatchAppendReq_Options_Deadline:
		if err := v.Deadline.CheckValid(); err != nil {
			return limit, wire.InvalidArgument("Duration was not a valid normalized duration")
		}
		asked = time.Now().Add(v.Deadline.AsDuration().Truncate(100 * time.Nanosecond)) // a tick
	default:
		return limit, nil
	}
	if asked.Before(limit) {
		return asked, nil
	}
	return limit, nil
}

func (b *batchCall) collect(p *pendingBatch, messages []*streams.BatchAppendReq_ProposedMessage) error {
	for _, m := range messages {
		event, err := b.service.accept(m)
		if err != nil {
			return err
		}
		b.size += event.Size()
		if err := p.size.add(&event, b.service.server.cfg); err != nil {
			return err
		}
		if b.size > maxPendingBytes {
			return wire.InvalidArgument("batches of %d bytes are begun and not finished: finish some first", b.size)
		}
		p.events = append(p.events, event)
	}
	return nil
}
