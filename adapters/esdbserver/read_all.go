package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	"github.com/atonehq/atone/domain"
)

func (r *reader) all(ctx context.Context, option *streams.ReadReq_Options_AllOptions, subscription bool) error {
	if err := r.server.allow.require(ctx, read, allStream); err != nil {
		return err
	}
	filter, err := r.filter()
	if err != nil {
		return err
	}
	from, err := allPosition(option)
	if err != nil {
		return err
	}
	if subscription {
		return r.subscribeAll(ctx, from, filter)
	}
	var accepts func(*domain.Recorded) bool
	if filter != nil {
		accepts = filter.Accepts
		if r.options.GetFilter().GetWindow() != nil && r.emptyWindow() {
			return wire.Refused("a filtered read needs a window of at least 1 event")
		}
	}
	if r.options.GetCount() == 0 {
		return wire.Refused("a read of all streams needs a count of at least 1")
	}
	if r.backwards() {
		return r.allBackward(ctx, from, accepts)
	}
	return r.allForward(ctx, from, accepts)
}

func (r *reader) allForward(ctx context.Context, from allFrom, accepts func(*domain.Recorded) bool) error {
	if from.end {
		return nil
	}
	place, err := r.server.db.Locate(ctx, from.commit)
	if err != nil || place.Beyond {
		return r.badPosition(err)
	}
	return r.send(ctx, r.server.db.All(ctx, place.After), accepts)
}

func (r *reader) allBackward(ctx context.Context, from allFrom, accepts func(*domain.Recorded) bool) error {
	if from.end {
		return r.send(ctx, r.server.db.AllBackward(ctx, domain.EndPosition), accepts)
	}
	if from.commit == 0 {
		return nil
	}
	place, err := r.server.db.Locate(ctx, from.commit)
	switch {
	case err == nil && place.Beyond:
		return &wire.RefusalError{Code: codes.Unknown, Message: fmt.Sprintf("Unexpected %s: Error", r.resultName())}
	case errors.Is(err, domain.ErrBadPosition) && place.First:
		return nil // nothing comes before the first record
	case err != nil:
		return r.badPosition(err)
	}
	return r.send(ctx, r.server.db.AllBackward(ctx, from.commit), accepts)
}

// badPosition says in the original's words that no record stands at a position.
func (r *reader) badPosition(err error) error {
	if errors.Is(err, domain.ErrBadPosition) {
		return &wire.RefusalError{Code: codes.Unknown, Message: fmt.Sprintf("Unexpected %s: InvalidPosition", r.resultName())}
	}
	return err
}

func (r *reader) resultName() string {
	if r.options.GetFilter() != nil {
		return "FilteredReadAllResult"
	}
	return "ReadAllResult"
}

// allFrom is where a reading of all streams is to begin.
type allFrom struct {
	commit domain.Position
	// inclusive is true if the event at the position itself is wanted, too: a subscription asks so
	// by a prepare position before the commit position.
	inclusive bool
	end       bool
}

func allPosition(option *streams.ReadReq_Options_AllOptions) (allFrom, error) {
	switch v := option.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		commit, prepare := v.Position.GetCommitPosition(), v.Position.GetPreparePosition()
		switch {
		case commit == math.MaxUint64 && prepare == math.MaxUint64:
			return allFrom{end: true}, nil
		case commit > math.MaxInt64 || prepare > commit:
			return allFrom{}, wire.Refused("%d/%d is not a position: give both parts as the server gave them", commit, prepare)
		}
		return allFrom{commit: domain.Position(commit), inclusive: prepare < commit}, nil
	case *streams.ReadReq_Options_AllOptions_Start:
		return allFrom{}, nil
	case *streams.ReadReq_Options_AllOptions_End:
		return allFrom{end: true}, nil
	}
	return allFrom{}, wire.Refused("a position, start or end is required")
}

// filter returns the request's filter, nil if there is none.
func (r *reader) filter() (*wire.EventFilter, error) {
	option := r.options.GetFilter()
	if option == nil {
		return nil, nil
	}
	const of = "ReadReq+Types+Options+Types+FilterOptions"
	if option.GetWindow() == nil {
		return nil, wire.NotValid(of + "+WindowOneofCase")
	}
	switch e := option.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		return wire.NewFilter(e.StreamIdentifier, false)
	case *streams.ReadReq_Options_FilterOptions_EventType:
		return wire.NewFilter(e.EventType, true)
	}
	return nil, wire.InvalidArgument("'%s' is not a valid EventStore.Client.Streams.%s", describeFilter(option), of)
}

// describeFilter renders a filter without an expression as the original does.
func describeFilter(o *streams.ReadReq_Options_FilterOptions) string {
	parts := []string{`"count": { }`}
	if window, ok := o.GetWindow().(*streams.ReadReq_Options_FilterOptions_Max); ok {
		parts[0] = fmt.Sprintf(`"max": %d`, window.Max)
	}
	if n := o.GetCheckpointIntervalMultiplier(); n != 0 {
		parts = append(parts, fmt.Sprintf(`"checkpointIntervalMultiplier": %d`, n))
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}
