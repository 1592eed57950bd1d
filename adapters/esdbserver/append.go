package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// streamsService reads, appends and deletes.
type streamsService struct {
	streams.UnimplementedStreamsServer
	server *Server
}

// settingsStream holds the original's default ACLs.
const settingsStream = "$settings"

// drainLimit is how much of a refused append is still read, in bytes, so that the client gets the
// reason: a client that is still sending when its call ends sees only that the call ended.
const drainLimit = 64 << 20

// Append appends the events of one call to one stream.
func (s *streamsService) Append(call streams.Streams_AppendServer) error {
	resp, err := s.append(call)
	if err != nil {
		drain(call)
		return err
	}
	return call.SendAndClose(resp)
}

// drain reads the rest of the request.
func drain(call streams.Streams_AppendServer) {
	for size := 0; size < drainLimit; {
		req, err := call.Recv()
		if err != nil {
			return
		}
		size += len(req.GetProposedMessage().GetData()) + len(req.GetProposedMessage().GetCustomMetadata()) + 64
	}
}

func (s *streamsService) append(call streams.Streams_AppendServer) (*streams.AppendResp, error) {
	req, err := call.Recv()
	if err != nil {
		return nil, startFailure(err)
	}
	options := req.GetOptions()
	if options == nil {
		return nil, wire.Refused("an append begins with its options")
	}
	stream, err := wire.StreamName(options.GetStreamIdentifier())
	if err != nil {
		return nil, err
	}
	expected, err := expectedByAppend(options)
	if err != nil {
		return nil, err
	}
	if err := s.mayWrite(call.Context(), stream); err != nil {
		return nil, err
	}
	events, err := s.collect(call)
	if err != nil {
		return nil, err
	}
	done, err := s.server.db.Append(call.Context(), stream, expected, events)
	var conflict *domain.ConflictError
	if errors.As(err, &conflict) {
		return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wrongVersion(options, int64(conflict.Actual))}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: appendSuccess(done)}}, nil
}

// startFailure is the error of a request of which not even the first message could be read.
func startFailure(err error) error {
	if errors.Is(err, io.EOF) {
		return wire.Refused("an append begins with its options")
	}
	return err
}

// mayWrite checks the stream's name and the caller's right to append to it.
func (s *streamsService) mayWrite(ctx context.Context, stream string) error {
	if err := s.server.allow.require(ctx, write, stream); err != nil {
		return err
	}
	switch {
	case stream == settingsStream:
		return wire.Exception(codes.PermissionDenied, "access-denied", fmt.Sprintf(
			"Access Denied: default ACLs, in %s, are not served: give the users roles, and streams or $all an $acl of their own", stream))
	case streamdb.IsVirtual(stream):
		return wire.Exception(codes.PermissionDenied, "access-denied", fmt.Sprintf(
			"Access Denied: the stream %s is computed while it is read: append to the streams that it links", stream))
	case !streamdb.IsWritable(stream):
		return wire.Exception(codes.PermissionDenied, "access-denied", fmt.Sprintf("Access Denied: no stream can be named %s", stream))
	}
	return nil
}

// collect receives the events, and stops as soon as they are too many.
func (s *streamsService) collect(call streams.Streams_AppendServer) ([]domain.NewEvent, error) {
	var events []domain.NewEvent
	var size appendSize
	for {
		req, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		message := req.GetProposedMessage()
		if message == nil {
			return nil, wire.Refused("an append has its options once, and then events")
		}
		event, err := s.accept(message)
		if err != nil {
			return nil, err
		}
		if err := size.add(&event, s.server.cfg); err != nil {
			return nil, err
		}
		events = append(events, event)
	}
}

// appendSize is how large an append has become, in bytes.
type appendSize struct{ data, all int }

// add counts an event, and refuses it if the append becomes too large. Only data counts towards the
// limit that clients know of.
func (s *appendSize) add(e *domain.NewEvent, cfg Config) error {
	s.data += len(e.Data)
	s.all += e.Size()
	if s.data > cfg.MaxAppendSize {
		return wire.MaximumAppendSize(cfg.MaxAppendSize)
	}
	if s.all > cfg.MaxMessageSize {
		return wire.Exception(codes.InvalidArgument, "maximum-append-size-exceeded", fmt.Sprintf(
			"data, metadata and types of one append are more than %d bytes together: append fewer events at once, or smaller ones", cfg.MaxMessageSize),
			"maximum-append-size", strconv.Itoa(cfg.MaxAppendSize))
	}
	return nil
}

// accept checks one event.
func (s *streamsService) accept(p wire.Proposed) (domain.NewEvent, error) {
	event, err := wire.NewEvent(p)
	if err == nil && event.Type == streamdb.TypeTombstone {
		err = wire.InvalidArgument("events of type %s are written by Tombstone only", streamdb.TypeTombstone)
	}
	return event, err
}

func expectedByAppend(o *streams.AppendReq_Options) (domain.Expected, error) {
	switch v := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		return wire.ExactRevision(v.Revision)
	case *streams.AppendReq_Options_NoStream:
		return domain.NoStream, nil
	case *streams.AppendReq_Options_Any:
		return domain.AnyRevision, nil
	case *streams.AppendReq_Options_StreamExists:
		return domain.StreamExists, nil
	}
	return 0, wire.NotValid("AppendReq+Types+Options+ExpectedStreamRevisionOneofCase")
}

func appendSuccess(done streamdb.Appended) *streams.AppendResp_Success {
	out := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_NoStream{NoStream: wire.Empty},
		PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: wire.Empty},
	}
	if done.Number != streamdb.NoNumber {
		out.CurrentRevisionOption = &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(done.Number)}
	}
	if p := uint64(done.Position); p != 0 {
		out.PositionOption = &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: p, PreparePosition: p}}
	}
	return out
}

// wrongVersion says what was expected and what was found, in the form of 20.6 and in today's.
func wrongVersion(o *streams.AppendReq_Options, actual int64) *streams.AppendResp_WrongExpectedVersion {
	type wev = streams.AppendResp_WrongExpectedVersion
	out := &wev{
		CurrentRevisionOption:        &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: wire.Empty},
		CurrentRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: wire.Empty},
	}
	if actual != streamdb.NoNumber {
		out.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(actual)}
		out.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(actual)}
	}
	switch v := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Any:
		out.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: wire.Empty}
		out.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: wire.Empty}
	case *streams.AppendReq_Options_StreamExists:
		out.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: wire.Empty}
		out.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: wire.Empty}
	case *streams.AppendReq_Options_NoStream:
		out.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: wire.Empty}
		out.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: math.MaxUint64}
	case *streams.AppendReq_Options_Revision:
		out.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: v.Revision}
		out.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: v.Revision}
	}
	return out
}
