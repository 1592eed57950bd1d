package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// errNoBatches means that the server does not take appends by BatchAppend.
var errNoBatches = errors.New("the server has no BatchAppend")

// streamSeed makes the streams of one process keep to one lane.
var streamSeed = maphash.MakeSeed()

// laneOf returns the lane of a stream: always the same, so that appends keep their order.
func (l *Log) laneOf(stream string) *lane {
	return l.lanes[maphash.String(streamSeed, stream)%uint64(len(l.lanes))]
}

// appendBatched sends the batch once, in the lane of its stream, and waits for its answer as long
// as an attempt may take. The server's own deadline for a batch bounds only the time between its
// parts.
func (l *Log) appendBatched(ctx context.Context, b *batch) (receipt, error) {
	call, err := l.laneOf(b.stream).open(ctx)
	if err != nil {
		return receipt{}, err
	}
	return l.callBatched(ctx, call, b)
}

// callBatched sends the batch once on the call.
func (l *Log) callBatched(ctx context.Context, call *batchCall, b *batch) (receipt, error) {
	began := time.Now()
	sent, err := call.send(ctx, b, l.cfg.AttemptTimeout)
	if err != nil {
		return receipt{}, err
	}
	defer sent.timer.Stop()
	select {
	case a := <-sent.answer:
		if a.err != nil {
			return receipt{}, a.err
		}
		call.reuse(sent)
		return call.understand(a.BatchAnswer, b)
	case <-ctx.Done():
		call.forget(sent)
		return receipt{}, ctx.Err()
	case <-sent.timer.C:
		call.forget(sent)
		call.endIfSilentSince(began)
		return receipt{}, &nodes.TransientError{Err: fmt.Errorf("no answer within %s", l.cfg.AttemptTimeout)}
	}
}

// understand turns an answer into what an Append call would have returned: an acknowledgement or an
// error.
func (c *batchCall) understand(answer wire.BatchAnswer, b *batch) (receipt, error) {
	if answer.Refused != nil {
		err := b.refusal(answer.Refused)
		var transient *nodes.TransientError
		if errors.As(err, &transient) && transient.NodeLost {
			c.end(err) // the node is of no use to the others either
		}
		return receipt{}, err
	}
	if !answer.Taken {
		return receipt{}, errors.New("the server's answer has neither a result nor an error")
	}
	a := receipt{revision: answer.Revision, position: answer.Position, noStream: answer.NoStream}
	return a, b.acknowledged(a)
}

// refusal turns a batch's error into one of ours. Servers name the error by the message packed into
// it; if that message is unknown, the status code decides.
func (b *batch) refusal(refused *rpcstatus.Status) error {
	said := status.Error(codes.Code(refused.GetCode()), refused.GetMessage())
	if codes.Code(refused.GetCode()) == codes.OK {
		// Servers have no code for some failures: "Server Is Not Ready" is one.
		said = status.Error(codes.Unavailable, refused.GetMessage())
	}
	for _, packed := range refused.GetDetails() {
		detail, err := packed.UnmarshalNew()
		if err != nil {
			continue // of a kind that this version does not know
		}
		switch d := detail.(type) {
		case *shared.WrongExpectedVersion:
			if _, ok := d.GetCurrentStreamRevisionOption().(*shared.WrongExpectedVersion_CurrentStreamRevision); ok {
				return b.conflict(domain.Expected(d.GetCurrentStreamRevision()))
			}
			return b.conflict(domain.NoStream)
		case *shared.StreamDeleted:
			return nodes.StreamDeleted(said)
		case *shared.AccessDenied:
			return nodes.AccessDenied(said)
		case *shared.MaximumAppendSizeExceeded:
			return nodes.TooLargeThere(said)
		case *shared.Timeout:
			return &nodes.TransientError{Err: said}
		case *shared.BadRequest:
			return fmt.Errorf("%w: %s", said, d.GetMessage())
		}
	}
	if codes.Code(refused.GetCode()) == codes.Unknown {
		return &nodes.TransientError{Err: said, NodeLost: true, Poisoned: true, Puzzling: true}
	}
	return nodes.Translate(said, nil)
}
