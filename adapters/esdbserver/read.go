package esdbserver

import (
	"context"
	"iter"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

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
	if r.options == nil {
		return invalidArgument("'options' is required")
	}
	if r.options.GetUuidOption() == nil {
		return invalidArgument("'uuidOption' is a required argument")
	}
	_, asString := r.options.GetUuidOption().GetContent().(*streams.ReadReq_Options_UUIDOption_String_)
	r.structured = !asString
	_, subscription := r.options.GetCountOption().(*streams.ReadReq_Options_Subscription)
	if r.options.GetCountOption() == nil {
		return invalidArgument("a count, or a subscription, is required")
	}
	if subscription && r.backwards() {
		return invalidArgument("a subscription cannot go backwards")
	}
	ctx := call.Context()
	switch option := r.options.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		return r.stream(ctx, option.Stream, subscription)
	case *streams.ReadReq_Options_All:
		return r.all(ctx, option.All, subscription)
	}
	return invalidArgument("a stream, or all, is required")
}

func (r *reader) backwards() bool {
	return r.options.GetReadDirection() == streams.ReadReq_Options_Backwards
}

func (r *reader) stream(ctx context.Context, option *streams.ReadReq_Options_StreamOptions, subscription bool) error {
	stream, err := streamName(option.GetStreamIdentifier())
	if err != nil {
		return err
	}
	if _, filtered := r.options.GetFilterOption().(*streams.ReadReq_Options_Filter); filtered {
		return invalidArgument("only all streams together can be filtered")
	}
	if err := r.server.allow.require(ctx, read, stream); err != nil {
		return err
	}
	if subscription {
		return r.subscribeStream(ctx, stream, option)
	}
	from, err := firstNumber(option)
	if err != nil {
		return err
	}
	view, err := r.server.db.View(ctx, stream)
	if err != nil {
		return err
	}
	if !view.Exists {
		return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
			StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: streamID(stream)},
		}})
	}
	if r.backwards() {
		err = r.send(ctx, view.Backward(ctx, from), nil)
	} else if err = r.tellFirst(view, from); err == nil && from <= math.MaxInt64 {
		err = r.send(ctx, view.Forward(ctx, from), nil)
	}
	if err != nil || r.options.GetControlOption().GetCompatibility() < 1 {
		return err
	}
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(view.Last)}})
}

// tellFirst tells a client that knows the message (compatibility 1) where the stream begins, or
// ends, when its first page would be empty.
func (r *reader) tellFirst(view streamdb.View, from uint64) error {
	if r.options.GetControlOption().GetCompatibility() < 1 || from > math.MaxInt64 {
		return nil
	}
	page := min(r.options.GetCount(), pageSize)
	start := int64(from)
	var first int64
	switch {
	case start <= math.MaxInt64-pageSize && start+int64(page)-1 < view.First:
		first = view.First
	case start > view.Last && start != view.Last+1:
		first = view.Last + 1
	default:
		return nil
	}
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: uint64(first)}})
}

func firstNumber(option *streams.ReadReq_Options_StreamOptions) (uint64, error) {
	switch v := option.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		if v.Revision > math.MaxInt64 && v.Revision != domain.End {
			return 0, invalidArgument("%d is no stream revision", v.Revision)
		}
		return v.Revision, nil
	case *streams.ReadReq_Options_StreamOptions_Start:
		return 0, nil
	case *streams.ReadReq_Options_StreamOptions_End:
		return domain.End, nil
	}
	return 0, invalidArgument("a revision, start or end is required")
}

func (r *reader) all(ctx context.Context, option *streams.ReadReq_Options_AllOptions, subscription bool) error {
	if err := r.server.allow.require(ctx, read, allStream); err != nil {
		return err
	}
	filter, interval, err := r.filter()
	if err != nil {
		return err
	}
	if subscription {
		return r.subscribeAll(ctx, option, filter, interval)
	}
	var accepts func(*domain.Recorded) bool
	if filter != nil {
		accepts = filter.accepts
	}
	db := r.server.db
	var position domain.Position
	switch v := option.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		position = domain.Position(v.Position.GetCommitPosition())
	case *streams.ReadReq_Options_AllOptions_Start:
	case *streams.ReadReq_Options_AllOptions_End:
		position = domain.EndPosition
	default:
		return invalidArgument("a position, start or end is required")
	}
	switch {
	case r.backwards():
		return r.send(ctx, db.AllBackward(ctx, position), accepts)
	case position == domain.EndPosition:
		return nil
	}
	return r.send(ctx, db.AllFrom(ctx, position), accepts)
}

// filter returns the request's filter, nil if there is none, and how many events lie
// between its checkpoints.
func (r *reader) filter() (*eventFilter, int, error) {
	option, ok := r.options.GetFilterOption().(*streams.ReadReq_Options_Filter)
	if !ok {
		return nil, 0, nil
	}
	var (
		f   *eventFilter
		err error
	)
	switch e := option.Filter.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		f, err = newFilter(e.StreamIdentifier, false)
	case *streams.ReadReq_Options_FilterOptions_EventType:
		f, err = newFilter(e.EventType, true)
	default:
		err = invalidArgument("a filter is by stream name or by event type")
	}
	return f, checkpointInterval(option.Filter.GetMax(), option.Filter.GetCheckpointIntervalMultiplier()), err
}

// checkpointInterval is the multiplier times the window; zero stands for the default of each.
func checkpointInterval(window, multiplier uint32) int {
	if window == 0 {
		window = defaultWindow
	}
	return int(min(uint64(window)*uint64(max(multiplier, 1)), math.MaxInt32))
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
		if accepts != nil && !accepts(&event) {
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

func (r *reader) subscribeAll(ctx context.Context, option *streams.ReadReq_Options_AllOptions, filter *eventFilter, interval int) error {
	var after domain.Position
	switch v := option.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		after = domain.Position(v.Position.GetCommitPosition())
	case *streams.ReadReq_Options_AllOptions_Start:
	case *streams.ReadReq_Options_AllOptions_End:
		after = domain.EndPosition
	default:
		return invalidArgument("a position, start or end is required")
	}
	if after == domain.EndPosition {
		var err error
		if after, err = r.server.db.EndPosition(ctx); err != nil {
			return err
		}
	}
	var f *streamdb.Filter
	if filter != nil {
		f = &streamdb.Filter{Accepts: filter.accepts, Interval: interval}
	}
	return r.subscribe(ctx, func(ctx context.Context) iter.Seq2[streamdb.Message, error] {
		return r.server.db.SubscribeAll(ctx, after, f)
	})
}

func (r *reader) subscribeStream(ctx context.Context, stream string, option *streams.ReadReq_Options_StreamOptions) error {
	if stream == allStream {
		return invalidArgument("all streams are not read by the name %s", allStream)
	}
	after := streamdb.NoNumber
	number, err := firstNumber(option)
	if err != nil {
		return err
	}
	if _, start := option.GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_Start); !start {
		after = int64(number)
	}
	if number == domain.End {
		if after, err = r.server.db.LastNumber(ctx, stream); err != nil {
			return err
		}
	}
	return r.subscribe(ctx, func(ctx context.Context) iter.Seq2[streamdb.Message, error] {
		return r.server.db.SubscribeStream(ctx, stream, after)
	})
}

// subscribe confirms the subscription and sends what it yields until either side ends it.
func (r *reader) subscribe(ctx context.Context, messages func(context.Context) iter.Seq2[streamdb.Message, error]) error {
	ctx, done, err := r.server.subscribe(ctx)
	if err != nil {
		return err
	}
	defer done()
	err = r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
	if err != nil {
		return err
	}
	for m, err := range messages(ctx) {
		switch {
		case err != nil:
			return r.server.subscriptionEnded(err)
		case m.Event != nil:
			err = r.event(ctx, *m.Event)
		case m.CaughtUp:
			err = r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
		case m.Checkpoint:
			err = r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
				Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: uint64(m.Position), PreparePosition: uint64(m.Position)},
			}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
