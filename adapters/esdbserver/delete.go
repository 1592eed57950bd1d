package esdbserver

import (
	"context"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// Delete deletes a stream softly.
func (s *streamsService) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	stream, err := s.mayDelete(ctx, req.GetOptions())
	if err != nil {
		return nil, err
	}
	var expected domain.Expected
	switch v := req.GetOptions().GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		expected, err = wire.ExactRevision(v.Revision)
	case *streams.DeleteReq_Options_NoStream:
		expected = domain.NoStream
	case *streams.DeleteReq_Options_Any:
		expected = domain.AnyRevision
	case *streams.DeleteReq_Options_StreamExists:
		expected = domain.StreamExists
	default:
		err = wire.NotValid("DeleteReq+Types+Options+ExpectedStreamRevisionOneofCase")
	}
	if err != nil {
		return nil, err
	}
	at, err := s.server.db.Delete(ctx, stream, expected)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: uint64(at), PreparePosition: uint64(at),
	}}}, nil
}

// Tombstone deletes a stream for ever.
func (s *streamsService) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	stream, err := s.mayDelete(ctx, req.GetOptions())
	if err != nil {
		return nil, err
	}
	var expected domain.Expected
	switch v := req.GetOptions().GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		expected, err = wire.ExactRevision(v.Revision)
	case *streams.TombstoneReq_Options_NoStream:
		expected = domain.NoStream
	case *streams.TombstoneReq_Options_Any:
		expected = domain.AnyRevision
	case *streams.TombstoneReq_Options_StreamExists:
		expected = domain.StreamExists
	default:
		err = wire.NotValid("TombstoneReq+Types+Options+ExpectedStreamRevisionOneofCase")
	}
	if err != nil {
		return nil, err
	}
	at, err := s.server.db.Tombstone(ctx, stream, expected)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: uint64(at), PreparePosition: uint64(at),
	}}}, nil
}

// mayDelete checks the stream's name and the caller's right to delete it. Metastreams go
// with their streams and cannot be deleted by themselves.
func (s *streamsService) mayDelete(ctx context.Context, options wire.StreamNamer) (string, error) {
	stream, err := wire.StreamName(options.GetStreamIdentifier())
	if err != nil {
		return "", err
	}
	if err := s.server.allow.require(ctx, remove, stream); err != nil {
		return "", err
	}
	if !streamdb.IsWritable(stream) || streamdb.IsMetastream(stream) {
		return "", wire.AccessDenied()
	}
	return stream, nil
}
