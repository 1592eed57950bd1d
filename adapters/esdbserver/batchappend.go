package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/code"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

const (
	// maxPendingBatches is how many batches of one call may be begun and not finished,
	// maxPendingBytes how large they may be together, and maxBatchesInFlight how many
	// finished ones may wait for the log. Beyond the first two a batch is refused; beyond
	// the last the client has to wait.
	maxPendingBatches  = 1024
	maxPendingBytes    = 64 << 20
	maxBatchesInFlight = 64
)

// batchCall is one call of BatchAppend: any number of batches, told apart by their
// correlation ids, each answered when it is appended. Batches for one stream are appended in the order
// in which they were finished; batches for different streams do not wait for each other.
type batchCall struct {
	service *streamsService
	call    streams.Streams_BatchAppendServer
	pending map[uuid.UUID]*pendingBatch
	size    int // of all that is pending
	slots   chan struct{}
	running sync.WaitGroup

	sending sync.Mutex

	mu    sync.Mutex
	tails map[string]chan struct{} // by stream: closed when the last batch so far is answered
}

// pendingBatch is a batch that is not finished yet.
type pendingBatch struct {
	stream   string
	expected domain.Expected
	option   *streams.BatchAppendReq_Options
	deadline time.Time
	events   []domain.NewEvent
	size     int
}

// BatchAppend appends batches of events as they come.
func (s *streamsService) BatchAppend(call streams.Streams_BatchAppendServer) error {
	b := &batchCall{
		service: s, call: call, pending: map[uuid.UUID]*pendingBatch{},
		slots: make(chan struct{}, maxBatchesInFlight), tails: map[string]chan struct{}{},
	}
	defer b.running.Wait()
	received := b.receiver()
	for {
		select {
		case r := <-received:
			if r.err != nil {
				return ignoreEOF(r.err)
			}
			if err := b.handle(r.req); err != nil {
				return err
			}
		case <-s.server.closing.Done():
			return s.server.subscriptionEnded(context.Canceled)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// received is a message of the call, or its end.
type received struct {
	req *streams.BatchAppendReq
	err error
}

// receiver passes on what arrives, so that the call, which may stay open for as long as its client
// lives, can end with the server. Its goroutine ends with the call.
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

// handle takes one message; what is wrong with it is told to the client.
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
	if id, err := fromUUID(req.GetCorrelationId()); err == nil && b.pending[id] != nil {
		return streamID(b.pending[id].stream)
	}
	return nil
}

// receive adds a message to its batch, and appends the batch when it is final. Messages of
// a batch that was refused before are passed over.
func (b *batchCall) receive(req *streams.BatchAppendReq) error {
	id, err := fromUUID(req.GetCorrelationId())
	if err != nil {
		return err
	}
	if req.GetOptions() != nil && b.pending[id] == nil {
		if len(b.pending) >= maxPendingBatches {
			return invalidArgument("%d batches are begun and not finished", maxPendingBatches)
		}
		p, err := b.begin(req.GetOptions())
		if err != nil {
			return err
		}
		b.pending[id] = p
	}
	p := b.pending[id]
	if p == nil {
		return nil
	}
	err = b.collect(p, req.GetProposedMessages())
	if !p.deadline.After(time.Now()) {
		err = context.DeadlineExceeded
	}
	if err != nil {
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
	delete(b.pending, id)
	b.size -= p.size
}

func (b *batchCall) begin(o *streams.BatchAppendReq_Options) (*pendingBatch, error) {
	stream, err := streamName(o.GetStreamIdentifier())
	if err != nil {
		return nil, err
	}
	if err := b.service.mayWrite(b.call.Context(), stream); err != nil {
		return nil, err
	}
	p := &pendingBatch{stream: stream, option: o, deadline: b.deadline(o)}
	switch v := o.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		p.expected, err = exactRevision(v.StreamPosition)
	case *streams.BatchAppendReq_Options_NoStream:
		p.expected = domain.NoStream
	case *streams.BatchAppendReq_Options_Any:
		p.expected = domain.AnyRevision
	case *streams.BatchAppendReq_Options_StreamExists:
		p.expected = domain.StreamExists
	default:
		err = invalidArgument("the expected stream position is required")
	}
	if err == nil && !p.deadline.After(time.Now()) {
		err = context.DeadlineExceeded
	}
	return p, err
}

// deadline is when the batch has to be durable: as the client says in either of two forms,
// but no later than the server's own limit.
func (b *batchCall) deadline(o *streams.BatchAppendReq_Options) time.Time {
	limit := time.Now().Add(b.service.server.cfg.WriteTimeout)
	var asked time.Time
	switch v := o.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		asked = v.Deadline_21_10_0.AsTime()
	case *streams.BatchAppendReq_Options_Deadline:
		asked = time.Now().Add(v.Deadline.AsDuration())
	default:
		return limit
	}
	if asked.Before(limit) {
		return asked
	}
	return limit
}

func (b *batchCall) collect(p *pendingBatch, messages []*streams.BatchAppendReq_ProposedMessage) error {
	limit := b.service.server.cfg.MaxAppendSize
	for _, m := range messages {
		event, err := b.service.accept(m)
		if err != nil {
			return err
		}
		p.size += event.Size()
		if b.size += event.Size(); p.size > limit {
			return maximumAppendSize(limit)
		}
		if b.size > maxPendingBytes {
			return invalidArgument("batches of %d bytes are begun and not finished", b.size)
		}
		p.events = append(p.events, event)
	}
	return nil
}

// submit appends the batch after those submitted before for the same stream.
func (b *batchCall) submit(id *shared.UUID, p *pendingBatch) error {
	select {
	case b.slots <- struct{}{}:
	case <-b.call.Context().Done():
		return b.call.Context().Err()
	}
	done := make(chan struct{})
	b.mu.Lock()
	before := b.tails[p.stream]
	b.tails[p.stream] = done
	b.mu.Unlock()
	b.running.Go(func() {
		defer func() {
			b.mu.Lock()
			if b.tails[p.stream] == done {
				delete(b.tails, p.stream)
			}
			b.mu.Unlock()
			close(done)
			<-b.slots
		}()
		if before != nil {
			<-before
		}
		// An error here is the client's going away: the call's own Recv reports it.
		_ = b.append(id, p)
	})
	return nil
}

func (b *batchCall) append(id *shared.UUID, p *pendingBatch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = b.refuse(id, streamID(p.stream), b.service.server.panicked("BatchAppend", r))
		}
	}()
	ctx, cancel := context.WithDeadline(b.call.Context(), p.deadline)
	defer cancel()
	done, err := b.service.server.db.Append(ctx, p.stream, p.expected, p.events)
	if err != nil {
		return b.refuse(id, streamID(p.stream), err)
	}
	return b.send(&streams.BatchAppendResp{
		CorrelationId: id, StreamIdentifier: streamID(p.stream),
		Result: &streams.BatchAppendResp_Success_{Success: batchSuccess(done)},
	})
}

func batchSuccess(done streamdb.Appended) *streams.BatchAppendResp_Success {
	out := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}},
		PositionOption:        &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}},
	}
	if done.Number != streamdb.NoNumber {
		out.CurrentRevisionOption = &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(done.Number)}
	}
	if p := uint64(done.Position); p != 0 {
		out.PositionOption = &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: p, PreparePosition: p}}
	}
	return out
}

// send answers; answers come from several goroutines.
func (b *batchCall) send(resp *streams.BatchAppendResp) error {
	b.sending.Lock()
	defer b.sending.Unlock()
	return b.call.Send(resp)
}

// refuse answers a batch with what went wrong.
func (b *batchCall) refuse(id *shared.UUID, stream *shared.StreamIdentifier, err error) error {
	return b.send(&streams.BatchAppendResp{
		CorrelationId: id, StreamIdentifier: stream,
		Result: &streams.BatchAppendResp_Error{Error: b.status(stream, err)},
	})
}

// status describes an error as the answer to a batch does: a code, a name and one packed message.
func (b *batchCall) status(stream *shared.StreamIdentifier, err error) *rpcstatus.Status {
	var (
		conflict *domain.ConflictError
		known    *failure
	)
	switch {
	case errors.As(err, &conflict):
		return batchStatus(code.Code_ALREADY_EXISTS, "WrongExpectedVersion", batchWrongVersion(conflict))
	case errors.Is(err, domain.ErrStreamDeleted):
		return batchStatus(code.Code_NOT_FOUND, "StreamDeleted", &shared.StreamDeleted{StreamIdentifier: stream})
	case errors.Is(err, context.DeadlineExceeded):
		return batchStatus(code.Code_DEADLINE_EXCEEDED, "Timeout", &shared.Timeout{})
	case errors.Is(err, domain.ErrTooLarge):
		return batchStatus(code.Code_INVALID_ARGUMENT, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{MaxAppendSize: uint32(domain.MaxAppendSize)})
	case errors.As(err, &known):
		name := known.trailers.Get("exception")
		switch {
		case len(name) > 0 && name[0] == "access-denied":
			return batchStatus(code.Code_PERMISSION_DENIED, "AccessDenied", &shared.AccessDenied{})
		case len(name) > 0 && name[0] == "maximum-append-size-exceeded":
			limit := uint32(min(b.service.server.cfg.MaxAppendSize, math.MaxInt32))
			return batchStatus(code.Code_INVALID_ARGUMENT, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{MaxAppendSize: limit})
		}
		return batchStatus(code.Code_INVALID_ARGUMENT, "BadRequest", &shared.BadRequest{Message: known.message})
	}
	b.service.server.cfg.Logger.Warn("a batch could not be appended", "stream", string(stream.GetStreamName()), "error", err)
	return batchStatus(code.Code_UNKNOWN, fmt.Sprintf("Unknown: %v", err), &shared.Unknown{})
}

func batchStatus(c code.Code, message string, details proto.Message) *rpcstatus.Status {
	packed, err := anypb.New(details)
	if err != nil { // only for a message that is not UTF-8
		packed = &anypb.Any{}
	}
	return &rpcstatus.Status{Code: int32(c), Message: message, Details: []*anypb.Any{packed}}
}

func batchWrongVersion(c *domain.ConflictError) *shared.WrongExpectedVersion {
	out := &shared.WrongExpectedVersion{CurrentStreamRevisionOption: &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &emptypb.Empty{}}}
	if c.Actual >= 0 {
		out.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(c.Actual)}
	}
	switch c.Expected {
	case domain.AnyRevision:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: &emptypb.Empty{}}
	case domain.StreamExists:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &emptypb.Empty{}}
	case domain.NoStream:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &emptypb.Empty{}}
	default:
		out.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(c.Expected)}
	}
	return out
}
