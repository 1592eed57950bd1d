package esdbserver

import (
	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// allStream is the name under which access to all streams is checked.
const allStream = "$all"

// pageSize is the original's page, in events: its answers about truncated streams depend on it.
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
		return wire.Refused("a read needs options")
	case o.GetUuidOption() == nil:
		return wire.Refused("the option for the form of UUIDs is required")
	case o.GetStreamOption() == nil:
		return wire.NotValid("ReadReq+Types+Options+StreamOptionOneofCase")
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
		return wire.InvalidArgument("The combination of (%s, %s, %v, %s) is invalid.", of, count, o.GetReadDirection(), filter)
	}
	return nil
}
