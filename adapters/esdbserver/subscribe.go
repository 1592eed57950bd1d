package esdbserver

import (
	"context"
	"errors"
	"iter"
	"math"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

func (r *reader) subscribeAll(ctx context.Context, from allFrom, filter *wire.EventFilter) error {
	option := r.options.GetFilter()
	var f *streamdb.Filter
	if filter != nil {
		if option.GetCheckpointIntervalMultiplier() == 0 {
			return wire.Refused("the checkpoint interval needs a multiplier of at least 1")
		}
		f = &streamdb.Filter{Accepts: filter.Accepts, Interval: checkpointInterval(option.GetMax(), option.GetCheckpointIntervalMultiplier())}
	}
	return r.subscribe(ctx, allStream, func(ctx context.Context) iter.Seq2[streamdb.Message, error] {
		if filter != nil && r.emptyWindow() {
			return failing(wire.Refused("a filtered subscription needs a window of at least 1 event"))
		}
		place, err := r.startOf(ctx, from)
		if errors.Is(err, domain.ErrBadPosition) {
			err = wire.InvalidArgument("Trying to read from an invalid position.")
		}
		if err != nil {
			return failing(err)
		}
		return r.server.db.SubscribeAll(ctx, place, f)
	})
}

// startOf finds where a subscription begins: after the position that it names.
func (r *reader) startOf(ctx context.Context, from allFrom) (streamdb.Place, error) {
	if from.end {
		end, err := r.server.db.EndPosition(ctx)
		return streamdb.Place{After: end, Live: true}, err
	}
	place, err := r.server.db.Locate(ctx, from.commit)
	if err == nil && place.At && !from.inclusive {
		place.After = from.commit
	}
	return place, err
}

func failing(err error) iter.Seq2[streamdb.Message, error] {
	return func(yield func(streamdb.Message, error) bool) { yield(streamdb.Message{}, err) }
}

func (r *reader) subscribeStream(ctx context.Context, stream string, option *streams.ReadReq_Options_StreamOptions) error {
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
	if _, err := r.server.db.View(ctx, stream); err != nil {
		return err // a tombstoned stream: there is nothing to confirm
	}
	return r.subscribe(ctx, stream, func(ctx context.Context) iter.Seq2[streamdb.Message, error] {
		return r.server.db.SubscribeStream(ctx, stream, after)
	})
}

// subscribe confirms the subscription and sends what it yields until either side ends it.
func (r *reader) subscribe(ctx context.Context, stream string, messages func(context.Context) iter.Seq2[streamdb.Message, error]) error {
	ctx, done, err := r.server.subscribe(ctx, read, stream)
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
			return r.server.subscriptionEnded(ctx, err)
		case m.Event != nil && r.hides(m.Event):
		case m.Event != nil:
			err = r.event(ctx, *m.Event)
		case m.CaughtUp:
			at, revision := int64(m.Position), int64(-1)
			if stream != allStream {
				at, revision = -1, m.Last
			}
			err = r.call.Send(wire.CaughtUp(r.server.cfg.Now(), at, revision))
		case m.Checkpoint:
			err = r.call.Send(wire.Checkpoint(r.server.cfg.Now(), uint64(m.Position)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// emptyWindow reports whether the filter's window is given and empty.
func (r *reader) emptyWindow() bool {
	window, given := r.options.GetFilter().GetWindow().(*streams.ReadReq_Options_FilterOptions_Max)
	return given && window.Max == 0
}

func firstNumber(option *streams.ReadReq_Options_StreamOptions) (uint64, error) {
	switch v := option.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		if v.Revision > math.MaxInt64 && v.Revision != domain.End {
			return 0, wire.Refused("%d is not a stream revision", v.Revision)
		}
		return v.Revision, nil
	case *streams.ReadReq_Options_StreamOptions_Start:
		return 0, nil
	case *streams.ReadReq_Options_StreamOptions_End:
		return domain.End, nil
	}
	return 0, wire.Refused("a revision, start or end is required")
}
