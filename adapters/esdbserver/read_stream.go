package esdbserver

import (
	"context"
	"errors"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

func (r *reader) stream(ctx context.Context, option *streams.ReadReq_Options_StreamOptions, subscription bool) error {
	stream, err := wire.StreamName(option.GetStreamIdentifier())
	if errors.Is(err, wire.ErrLongName) && !subscription {
		// nothing has that name
		return r.notFound(string(option.GetStreamIdentifier().GetStreamName()))
	}
	if err != nil {
		return err
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
	if r.options.GetCount() == 0 || !r.backwards() && from == domain.End {
		// Nothing comes after the end, and a count of 0 asks for nothing.
		return &wire.RefusalError{Code: codes.Unknown, Message: "Unexpected ReadStreamResult: Error"}
	}
	view, err := r.server.db.View(ctx, stream)
	if err != nil {
		return err
	}
	if !view.Exists {
		return r.notFound(stream)
	}
	if r.backwards() {
		err = r.send(ctx, view.Backward(ctx, from), nil)
	} else if err = r.tellFirst(ctx, view, from); err == nil {
		err = r.send(ctx, view.Forward(ctx, from), nil)
	}
	if err != nil || r.options.GetControlOption().GetCompatibility() < 1 {
		return err
	}
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(view.Last)}})
}

func (r *reader) notFound(stream string) error {
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
		StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: wire.StreamID(stream)},
	}})
}

// tellFirst tells a client that knows the message (compatibility 1) where the stream goes on if the
// first page is empty: at the first readable event, or behind the last one. If the first is past
// the last, it tells both, as the original does.
func (r *reader) tellFirst(ctx context.Context, view streamdb.View, from uint64) error {
	if r.options.GetControlOption().GetCompatibility() < 1 {
		return nil
	}
	tell := func(number int64) error {
		return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: uint64(number)}})
	}
	page, start := int64(min(r.options.GetCount(), pageSize)), int64(from)
	if start < view.First && view.First-start >= page {
		if err := tell(view.First); err != nil {
			return err
		}
		start = view.First
	}
	switch {
	case start > view.Last && start != view.Last+1:
		return tell(view.Last + 1)
	case start > view.Last || view.Since.IsZero():
		return nil
	}
	next := view.Last + 1
	for event, err := range view.Forward(ctx, uint64(start)) {
		if err != nil {
			return err
		}
		next = int64(event.Revision)
		break
	}
	if next-start >= page || next > view.Last {
		return tell(next)
	}
	return nil
}
