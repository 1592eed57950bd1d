package esdbserver

import (
	"context"
	"iter"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// allStream is the name that access to all streams is asked by.
const allStream = "$all"

// pageSize is the original's page, which shows in what it tells about truncated streams.
const pageSize = 32

// reader is one call of Streams.Read.
type reader struct {
	server  *Server
	options *streams.ReadReq_Options
	call    streams.Streams_ReadServer
	// structured is the form of UUIDs that the client wants.
	structured bool
}

// Read reads a stream or all of them, once or as a subscription.
func (s *streamsService) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	r := &reader{server: s.server, options: req.GetOptions(), call: call}
	if err := checkRead(r.options); err != nil {
		return err
	}
	_, asString := r.options.GetUuidOption().GetContent().(*streams.ReadReq_Options_UUIDOption_String_)
	r.structured = !asString
	_, subscription := r.options.GetCountOption().(*streams.ReadReq_Options_Subscription)
	ctx := call.Context()
	if option, ok := r.options.GetStreamOption().(*streams.ReadReq_Options_Stream); ok {
		return r.stream(ctx, option.Stream, subscription)
	}
	return r.all(ctx, r.options.GetAll(), subscription)
}

// checkRead refuses what the original refuses, with its codes.
func checkRead(o *streams.ReadReq_Options) error {
	switch {
	case o == nil:
		return refused("a read needs options")
	case o.GetUuidOption() == nil:
		return refused("the option in which form UUIDs are wanted is required")
	case o.GetStreamOption() == nil:
		return notValid("ReadReq+Types+Options+StreamOptionOneofCase")
	}
	of, count, filter := "All", "None", "None"
	if _, stream := o.GetStreamOption().(*streams.ReadReq_Options_Stream); stream {
		of = "Stream"
	}
	switch o.GetCountOption().(type) {
	case *streams.ReadReq_Options_Count:
		count = "Count"
	case *streams.ReadReq_Options_Subscription:
		count = "Subscription"
	}
	switch o.GetFilterOption().(type) {
	case *streams.ReadReq_Options_Filter:
		filter = "Filter"
	case *streams.ReadReq_Options_NoFilter:
		filter = "NoFilter"
	}
	forwards := o.GetReadDirection() == streams.ReadReq_Options_Forwards
	known := forwards || o.GetReadDirection() == streams.ReadReq_Options_Backwards
	if count == "None" || filter == "None" || !known || of == "Stream" && filter == "Filter" || count == "Subscription" && !forwards {
		return invalidArgument("The combination of (%s, %s, %v, %s) is invalid.", of, count, o.GetReadDirection(), filter)
	}
	return nil
}

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
		Id: toUUID(e.ID, r.structured), StreamIdentifier: streamID(e.Stream), StreamRevision: e.Revision,
		PreparePosition: uint64(e.Position), CommitPosition: uint64(e.Position),
		Metadata: eventMetadata(e), CustomMetadata: e.Metadata, Data: e.Data,
	}
}
