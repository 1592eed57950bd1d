package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// appendUnary sends the batch once, as a call of its own, and reads the answer.
func (l *Log) appendUnary(ctx context.Context, n int, b *batch) (answer receipt, err error) {
	at, err := l.appends.Pick(n)
	if err != nil {
		return receipt{}, err
	}
	err = nodes.Attempt(ctx, at, func(ctx context.Context, s *nodes.Session) error {
		timed, cancel := undated(ctx)
		defer cancel()
		defer time.AfterFunc(l.cfg.AttemptTimeout, cancel).Stop()
		answer, err = callAppend(timed, at, s, b)
		if err != nil && ctx.Err() == nil && timed.Err() != nil {
			return &nodes.TransientError{Err: fmt.Errorf("no answer within %s: %w", l.cfg.AttemptTimeout, err)}
		}
		return err
	})
	return answer, err
}

// callAppend makes one Append call.
func callAppend(ctx context.Context, at *nodes.Link, s *nodes.Session, b *batch) (receipt, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := api.NewStreamsClient(s.Conn).Append(at.Outgoing(ctx, false))
	if err != nil {
		return receipt{}, nodes.Translate(err, nil)
	}
	answer, err := sendAll(call, appendRequests(b), cancel)
	if err != nil {
		if actual, conflict := nodes.ConflictIn(call.Trailer()); conflict {
			return receipt{}, b.conflict(actual)
		}
		return receipt{}, nodes.Translate(err, call.Trailer())
	}
	if wrong := answer.GetWrongExpectedVersion(); wrong != nil {
		return receipt{}, b.conflict(actualRevision(wrong))
	}
	success := answer.GetSuccess()
	if success == nil {
		return receipt{}, errors.New("the server's answer has neither a result nor an error")
	}
	a := receipt{revision: success.GetCurrentRevision(), position: wire.ReadPosition(success.GetPosition().GetCommitPosition()), noStream: success.GetNoStream() != nil}
	return a, b.acknowledged(a)
}

// earlyAnswer is how long to wait for the answer to a call that could not be sent to its end: an
// answer, if any, has already arrived.
const earlyAnswer = 100 * time.Millisecond

// sendAll sends the batch and returns the answer. If a part can't be sent, gRPC may silently begin
// the call again on another connection with the parts that it has: ending that call would append a
// batch that lacks events. So a call that was not sent whole is cancelled, never ended, and its
// success is not believed.
func sendAll(call api.Streams_AppendClient, requests []*api.AppendReq, cancel context.CancelFunc) (*api.AppendResp, error) {
	for _, request := range requests {
		err := call.Send(request)
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		defer time.AfterFunc(earlyAnswer, cancel).Stop()
		answer := new(api.AppendResp)
		if err := call.RecvMsg(answer); err != nil {
			return nil, err
		}
		if answer.GetSuccess() != nil {
			return nil, status.Error(codes.Unavailable, "the connection broke while the batch was sent")
		}
		return answer, nil
	}
	return call.CloseAndRecv()
}

// actualRevision reads where the stream stands; old servers fill only the first pair of fields.
func actualRevision(wrong *api.AppendResp_WrongExpectedVersion) domain.Expected {
	switch at := wrong.GetCurrentRevisionOption().(type) {
	case *api.AppendResp_WrongExpectedVersion_CurrentRevision:
		return domain.Expected(at.CurrentRevision)
	case *api.AppendResp_WrongExpectedVersion_CurrentNoStream:
		return domain.NoStream
	}
	if at, ok := wrong.GetCurrentRevisionOption_20_6_0().(*api.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0); ok {
		return domain.Expected(at.CurrentRevision_20_6_0)
	}
	return domain.NoStream
}

// appendRequests is the batch on the wire: a header and one message an event.
func appendRequests(b *batch) []*api.AppendReq {
	header := &api.AppendReq_Options{StreamIdentifier: identifier(b.stream)}
	switch b.expected {
	case domain.AnyRevision:
		header.ExpectedStreamRevision = &api.AppendReq_Options_Any{Any: &shared.Empty{}}
	case domain.NoStream:
		header.ExpectedStreamRevision = &api.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	case domain.StreamExists:
		header.ExpectedStreamRevision = &api.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}
	default:
		header.ExpectedStreamRevision = &api.AppendReq_Options_Revision{Revision: uint64(b.expected)}
	}
	requests := []*api.AppendReq{{Content: &api.AppendReq_Options_{Options: header}}}
	for _, e := range b.events {
		requests = append(requests, &api.AppendReq{Content: &api.AppendReq_ProposedMessage_{
			ProposedMessage: &api.AppendReq_ProposedMessage{
				Id: wire.WireID(e.ID), Metadata: wire.WireMetadata(e), CustomMetadata: e.Metadata, Data: e.Data,
			},
		}})
	}
	return requests
}
