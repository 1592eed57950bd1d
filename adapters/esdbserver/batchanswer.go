package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/genproto/googleapis/rpc/code"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// inLine is a batch that the log has taken into line.
type inLine struct {
	id   *shared.UUID
	p    *pendingBatch
	wait func() (streamdb.Appended, error)
	done context.CancelFunc
}

// answerInOrder answers the batches in the order of the log.
func (b *batchCall) answerInOrder() {
	for next := range b.inLine {
		_ = b.answer(next.id, next.p, next.wait)
		next.done()
		b.leave(next.p)
	}
}

// enter waits until the batch may be in flight.
func (b *batchCall) enter(p *pendingBatch) error {
	ctx := b.call.Context()
	if err := b.room.Acquire(ctx, int64(p.size.all)); err != nil {
		return err
	}
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *batchCall) leave(p *pendingBatch) {
	<-b.slots
	b.room.Release(int64(p.size.all))
}

// submit appends the batch after those submitted before for the same stream. If the log can take it
// in line at once, they share a sync; else it waits for them.
func (b *batchCall) submit(id *shared.UUID, p *pendingBatch) error {
	if err := b.enter(p); err != nil {
		return err
	}
	b.mu.Lock()
	before := b.tails[p.stream]
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.call.Context(), b.service.server.cfg.CommitTimeout)
	if before == nil {
		if wait, ok := b.service.server.db.Begin(ctx, p.stream, p.expected, p.events); ok {
			b.inLine <- inLine{id, p, wait, cancel} // it has room for all that are in flight
			return nil
		}
	}
	done := make(chan struct{})
	b.mu.Lock()
	b.tails[p.stream] = done
	b.mu.Unlock()
	b.running.Go(func() {
		defer func() {
			cancel()
			b.mu.Lock()
			if b.tails[p.stream] == done {
				delete(b.tails, p.stream)
			}
			b.mu.Unlock()
			close(done)
			b.leave(p)
		}()
		if before != nil {
			<-before
		}
		// An error here means that the client has left, which the call's own Recv reports.
		_ = b.answer(id, p, func() (streamdb.Appended, error) {
			return b.service.server.db.Append(ctx, p.stream, p.expected, p.events)
		})
	})
	return nil
}

// answer waits for the batch's result and sends it.
func (b *batchCall) answer(id *shared.UUID, p *pendingBatch, wait func() (streamdb.Appended, error)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			// up: a batch runs in a goroutine of its own, which the server's interceptors do not
			// see
			err = b.refuse(id, wire.StreamID(p.stream), b.service.server.panicked("BatchAppend", r))
		}
	}()
	done, err := wait()
	if err != nil {
		return b.refuse(id, wire.StreamID(p.stream), err)
	}
	return b.send(&streams.BatchAppendResp{
		CorrelationId: id, StreamIdentifier: wire.StreamID(p.stream),
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
		known    *wire.RefusalError
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
		name := known.Trailers.Get("exception")
		switch {
		case len(name) > 0 && name[0] == "access-denied":
			return batchStatus(code.Code_PERMISSION_DENIED, "AccessDenied", &shared.AccessDenied{})
		case len(name) > 0 && name[0] == "maximum-append-size-exceeded":
			limit := uint32(min(b.service.server.cfg.MaxAppendSize, math.MaxInt32))
			return batchStatus(code.Code_INVALID_ARGUMENT, "MaximumAppendSizeExceeded", &shared.MaximumAppendSizeExceeded{MaxAppendSize: limit})
		}
		return batchStatus(code.Code_INVALID_ARGUMENT, "BadRequest", &shared.BadRequest{Message: known.Message})
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
