package esdbserver

import (
	"context"
	"iter"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"
	"github.com/atonehq/atone/domain"
)

func (r *reader) backwards() bool {
	return r.options.GetReadDirection() == streams.ReadReq_Options_Backwards
}

// send sends up to the requested number of events that the filter accepts.
func (r *reader) send(ctx context.Context, events iter.Seq2[domain.Recorded, error], accepts func(*domain.Recorded) bool) error {
	left := r.options.GetCount()
	if left == 0 {
		return nil
	}
	for event, err := range events {
		if err != nil {
			return err
		}
		if accepts != nil && !accepts(&event) || r.hides(&event) {
			if err := ctx.Err(); err != nil {
				return err
			}
			continue
		}
		if err := r.event(ctx, event); err != nil {
			return err
		}
		if left--; left == 0 {
			return nil
		}
	}
	return nil
}

// hides reports whether the caller may not see the event.
func (r *reader) hides(e *domain.Recorded) bool {
	return r.server.allow.hidesEvent(callerOf(r.call.Context()), e)
}

// event sends one event, resolved if the client asked for it.
func (r *reader) event(ctx context.Context, event domain.Recorded) error {
	resolved := streamdb.Resolved{Event: &event}
	if r.options.GetResolveLinks() {
		var err error
		if resolved, err = r.server.resolve(ctx, event); err != nil {
			return err
		}
	}
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: r.recorded(resolved.Event), Link: r.recorded(resolved.Link),
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(event.Position)},
	}}})
}

// resolve follows a link as far as the caller may read.
func (s *Server) resolve(ctx context.Context, event domain.Recorded) (streamdb.Resolved, error) {
	return s.db.Resolve(ctx, event, func(ctx context.Context, stream string) (bool, error) {
		return s.allow.allowed(ctx, read, stream)
	})
}

func (r *reader) recorded(e *domain.Recorded) *streams.ReadResp_ReadEvent_RecordedEvent {
	if e == nil {
		return nil
	}
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id: wire.ToUUID(e.ID, r.structured), StreamIdentifier: wire.StreamID(e.Stream), StreamRevision: e.Revision,
		PreparePosition: uint64(e.Position), CommitPosition: uint64(e.Position),
		Metadata: wire.EventMetadata(e), CustomMetadata: e.Metadata, Data: e.Data,
	}
}
