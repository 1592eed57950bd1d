package eventstoredb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// Append implements [domain.Log].
//
// While the outcome is unknown (Aborted, DeadlineExceeded, Unavailable, a node that does
// not lead) the identical batch is sent again until ctx ends; the error is then ctx's,
// and the outcome stays unknown. Besides the port's errors it returns an error that wraps
// [domain.ErrStreamDeleted] or [domain.ErrAccessDenied] where the server says so, and a plain
// one for an event without id or type: nothing was written then.
func (l *Log) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	what := fmt.Sprintf("append %d events to %s", len(events), stream)
	if err := checkAppend(stream, expected, events); err != nil {
		return domain.Appended{}, fmt.Errorf("%s: %w", what, err)
	}
	ctx, unbind := l.bind(ctx)
	defer unbind()
	request := appendRequests(stream, expected, events)
	var success *api.AppendResp_Success
	err := l.persist(ctx, what, l.appends, func(ctx context.Context, at *link, s *session) error {
		timed, cancel := context.WithTimeout(ctx, l.cfg.AttemptTimeout)
		defer cancel()
		var err error
		success, err = appendOnce(timed, at, s, request, stream, expected)
		return err
	})
	if err != nil {
		return domain.Appended{}, err
	}
	done := domain.Appended{Revision: success.GetCurrentRevision(), Position: domain.Position(success.GetPosition().GetCommitPosition())}
	if done.Position == 0 && len(events) > 0 {
		return l.locate(ctx, stream, done)
	}
	return done, nil
}

// locate finds the position of an event whose append was answered without one, as some
// servers do for a repeated append.
func (l *Log) locate(ctx context.Context, stream string, done domain.Appended) (domain.Appended, error) {
	for event, err := range l.ReadStream(ctx, stream, done.Revision) {
		if err != nil {
			return domain.Appended{}, fmt.Errorf("find the position of revision %d: %w", done.Revision, err)
		}
		done.Position = event.Position
		break
	}
	return done, nil
}

// checkAppend refuses what the server would refuse, before anything is sent.
func checkAppend(stream string, expected domain.Expected, events []domain.NewEvent) error {
	if stream == "" {
		return errors.New("the stream has no name: give one")
	}
	switch {
	case expected >= 0, expected == domain.NoStream, expected == domain.AnyRevision, expected == domain.StreamExists:
	default:
		return fmt.Errorf("expected revision %d is neither a revision nor one of the domain's constants", int64(expected))
	}
	size := 0
	for i, e := range events {
		if e.ID == uuid.Nil {
			return fmt.Errorf("event %d has no id: give each event its own", i)
		}
		if e.Type == "" {
			return fmt.Errorf("event %d has no type: give its wire name", i)
		}
		size += e.Size()
	}
	if size > domain.MaxAppendSize {
		return fmt.Errorf("%w: %d bytes, at most %d: write fewer or smaller events at once", domain.ErrTooLarge, size, domain.MaxAppendSize)
	}
	return nil
}

// appendOnce sends the batch once and reads the answer.
func appendOnce(ctx context.Context, at *link, s *session, requests []*api.AppendReq, stream string, expected domain.Expected) (*api.AppendResp_Success, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := api.NewStreamsClient(s.conn).Append(at.outgoing(ctx, false))
	if err != nil {
		return nil, translate(err, nil)
	}
	answer, err := sendAll(call, requests, cancel)
	if err != nil {
		if conflict := conflictFrom(call.Trailer(), stream, expected); conflict != nil {
			return nil, conflict
		}
		return nil, translate(err, call.Trailer())
	}
	if wrong := answer.GetWrongExpectedVersion(); wrong != nil {
		return nil, &domain.ConflictError{Stream: stream, Expected: expected, Actual: actualRevision(wrong)}
	}
	success := answer.GetSuccess()
	if success == nil {
		return nil, errors.New("the server's answer has neither a result nor an error")
	}
	events := len(requests) - 1
	if expected >= 0 && success.GetCurrentRevision() != uint64(expected)+uint64(events) {
		return nil, fmt.Errorf("the server acknowledged revision %d for %d events after revision %d: read the stream", success.GetCurrentRevision(), events, expected)
	}
	return success, nil
}

// earlyAnswer is how long to wait for the answer to a call that can't be sent to its
// end. Where there is one, it is here already.
const earlyAnswer = 100 * time.Millisecond

// sendAll sends the batch and returns the answer. Where a part can't be sent, gRPC may
// silently begin the call again on another connection, with the parts that it had taken: to
// end the call then would append a batch that lacks events. So a call that was not sent
// whole is never ended, only cancelled, and no success of it is believed.
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
func appendRequests(stream string, expected domain.Expected, events []domain.NewEvent) []*api.AppendReq {
	header := &api.AppendReq_Options{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}}
	switch expected {
	case domain.AnyRevision:
		header.ExpectedStreamRevision = &api.AppendReq_Options_Any{Any: &shared.Empty{}}
	case domain.NoStream:
		header.ExpectedStreamRevision = &api.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	case domain.StreamExists:
		header.ExpectedStreamRevision = &api.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}
	default:
		header.ExpectedStreamRevision = &api.AppendReq_Options_Revision{Revision: uint64(expected)}
	}
	requests := []*api.AppendReq{{Content: &api.AppendReq_Options_{Options: header}}}
	for _, e := range events {
		contentType := contentJSON
		if e.Binary {
			contentType = contentBinary
		}
		requests = append(requests, &api.AppendReq{Content: &api.AppendReq_ProposedMessage_{
			ProposedMessage: &api.AppendReq_ProposedMessage{
				Id:             wireID(e.ID),
				Metadata:       map[string]string{metaType: e.Type, metaContentType: contentType},
				CustomMetadata: e.Metadata,
				Data:           e.Data,
			},
		}})
	}
	return requests
}

// wireID is the id in the form that every server takes.
func wireID(id uuid.UUID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])),
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}
