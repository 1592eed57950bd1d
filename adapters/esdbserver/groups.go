package esdbserver

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
	"github.com/atonehq/atone/domain"
)

// groupsService serves persistent subscriptions.
type groupsService struct {
	persistent.UnimplementedPersistentSubscriptionsServer
	server *Server
}

// groupFailure turns an error about a group into the exception that clients know.
func groupFailure(err error, stream, group string) error {
	var invalid *groups.InvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return wire.GroupError(codes.Internal, "persistent-subscription-failed",
			fmt.Sprintf("Subscription group %s on stream %s failed: '%v'", group, stream, invalid), stream, group, "reason", invalid.Error())
	case errors.Is(err, groups.ErrExists):
		return wire.GroupError(codes.AlreadyExists, "persistent-subscription-exists",
			fmt.Sprintf("Subscription group %s on stream %s exists.", group, stream), stream, group)
	case errors.Is(err, groups.ErrNotFound):
		return wire.GroupError(codes.NotFound, "persistent-subscription-does-not-exist",
			fmt.Sprintf("Subscription group %s on stream %s does not exist.", group, stream), stream, group)
	case errors.Is(err, groups.ErrMaxSubscribers):
		return wire.GroupError(codes.FailedPrecondition, "maximum-subscribers-reached",
			fmt.Sprintf("Maximum subscriptions reached for subscription group %s on stream %s.", group, stream), stream, group)
	case errors.Is(err, groups.ErrDropped), errors.Is(err, groups.ErrFaulted):
		return wire.GroupError(codes.Canceled, "persistent-subscription-dropped",
			fmt.Sprintf("Subscription group %s on stream %s was dropped.", group, stream), stream, group)
	case errors.Is(err, groups.ErrNotReady):
		return &wire.RefusalError{Code: codes.Unavailable, Message: "Server Is Not Ready"}
	}
	return err
}

// groupStream returns the stream that a request names, in either of its forms.
func groupStream(all bool, id *shared.StreamIdentifier) (string, error) {
	if all {
		return groups.All, nil
	}
	return wire.StreamName(id)
}

// manage returns access-denied unless the caller may keep groups on the stream.
func (s *groupsService) manage(ctx context.Context, stream string) error {
	return s.server.allow.require(ctx, manageGroups, stream)
}

// Create makes a group.
func (s *groupsService) Create(ctx context.Context, req *persistent.CreateReq) (*persistent.CreateResp, error) {
	o := req.GetOptions()
	if o.GetSettings() == nil {
		return nil, wire.Refused("a group needs options with its settings")
	}
	settings, err := createSettings(o)
	if err != nil {
		return nil, err
	}
	if err := s.manage(ctx, settings.Stream); err != nil {
		return nil, err
	}
	err = s.server.groups.Create(ctx, settings, callerOf(ctx).name)
	return &persistent.CreateResp{}, groupFailure(err, settings.Stream, settings.Group)
}

// createSettings reads a creation, in today's form or in the deprecated one that some
// clients still send.
func createSettings(o *persistent.CreateReq_Options) (groups.Settings, error) {
	set := commonSettings(o.GetGroupName(), o.GetSettings())
	set.ConsumerStrategy = o.GetSettings().GetConsumerStrategy()
	if set.ConsumerStrategy == "" {
		//lint:ignore SA1019 older clients, npm's among them, send only the deprecated field
		set.ConsumerStrategy = o.GetSettings().GetNamedConsumerStrategy().String()
	}
	var err error
	switch option := o.GetStreamOption().(type) {
	case *persistent.CreateReq_Options_All:
		set.Stream = groups.All
		if set.StartFrom, err = startOfAll(option.All); err == nil {
			set.Filter, err = filterSpec(option.All)
		}
		return set, err
	case *persistent.CreateReq_Options_Stream:
		if set.Stream, err = wire.StreamName(option.Stream.GetStreamIdentifier()); err != nil {
			return set, err
		}
		switch r := option.Stream.GetRevisionOption().(type) {
		case *persistent.CreateReq_StreamOptions_Revision:
			set.StartFrom, err = startFrom(r.Revision)
		case *persistent.CreateReq_StreamOptions_Start:
		case *persistent.CreateReq_StreamOptions_End:
			set.StartFrom = groups.FromEnd
		default:
			err = wire.NotValidGroup("CreateReq+Types+StreamOptions+RevisionOptionOneofCase")
		}
		return set, err
	}
	//lint:ignore SA1019 older clients, npm's among them, send only the deprecated field
	if set.Stream, err = wire.StreamName(o.GetStreamIdentifier()); err != nil {
		return set, err
	}
	//lint:ignore SA1019 older clients, npm's among them, send only the deprecated field
	set.StartFrom, err = startFrom(o.GetSettings().GetRevision())
	return set, err
}

// startFrom reads a revision; the highest number stands for the end.
func startFrom(revision uint64) (int64, error) {
	if revision == math.MaxUint64 {
		return groups.FromEnd, nil
	}
	if revision > math.MaxInt64 {
		return 0, wire.InvalidArgument("%d is not a stream revision", revision)
	}
	return int64(revision), nil
}

func startOfAll(o *persistent.CreateReq_AllOptions) (int64, error) {
	switch v := o.GetAllOption().(type) {
	case *persistent.CreateReq_AllOptions_Position:
		return startFrom(v.Position.GetCommitPosition())
	case *persistent.CreateReq_AllOptions_Start:
		return 0, nil
	case *persistent.CreateReq_AllOptions_End:
		return groups.FromEnd, nil
	}
	return 0, wire.NotValidGroup("CreateReq+Types+AllOptions+AllOptionOneofCase")
}

func filterSpec(o *persistent.CreateReq_AllOptions) (*groups.FilterSpec, error) {
	option, ok := o.GetFilterOption().(*persistent.CreateReq_AllOptions_Filter)
	if !ok {
		return nil, nil
	}
	f := option.Filter
	spec := &groups.FilterSpec{Interval: checkpointInterval(f.GetMax(), f.GetCheckpointIntervalMultiplier())}
	var e wire.Expression
	switch v := f.GetFilter().(type) {
	case *persistent.CreateReq_AllOptions_FilterOptions_StreamIdentifier:
		e = v.StreamIdentifier
	case *persistent.CreateReq_AllOptions_FilterOptions_EventType:
		e, spec.ByType = v.EventType, true
	default:
		return nil, wire.InvalidArgument("a filter is by stream name or by event type")
	}
	spec.Regex, spec.Prefixes = e.GetRegex(), e.GetPrefix()
	return spec, nil
}

// groupFilter builds a stored filter.
func groupFilter(spec groups.FilterSpec) (func(*domain.Recorded) bool, error) {
	f, err := wire.NewFilter(&persistent.CreateReq_AllOptions_FilterOptions_Expression{Regex: spec.Regex, Prefix: spec.Prefixes}, spec.ByType)
	if err != nil {
		return nil, err
	}
	return f.Accepts, nil
}

// settingsMessage is what creations and updates have in common.
type settingsMessage interface {
	GetResolveLinks() bool
	GetExtraStatistics() bool
	GetMaxRetryCount() int32
	GetMinCheckpointCount() int32
	GetMaxCheckpointCount() int32
	GetMaxSubscriberCount() int32
	GetLiveBufferSize() int32
	GetReadBatchSize() int32
	GetHistoryBufferSize() int32
	GetMessageTimeoutTicks() int64
	GetMessageTimeoutMs() int32
	GetCheckpointAfterTicks() int64
	GetCheckpointAfterMs() int32
}

func commonSettings(group string, m settingsMessage) groups.Settings {
	return groups.Settings{
		Group: group, ResolveLinks: m.GetResolveLinks(), ExtraStatistics: m.GetExtraStatistics(),
		MaxRetryCount: m.GetMaxRetryCount(), LiveBufferSize: m.GetLiveBufferSize(),
		HistoryBufferSize: m.GetHistoryBufferSize(), ReadBatchSize: m.GetReadBatchSize(),
		MinCheckPointCount: m.GetMinCheckpointCount(), MaxCheckPointCount: m.GetMaxCheckpointCount(),
		MaxSubscriberCount: m.GetMaxSubscriberCount(),
		MessageTimeout:     milliseconds(m.GetMessageTimeoutMs(), m.GetMessageTimeoutTicks()),
		CheckPointAfter:    milliseconds(m.GetCheckpointAfterMs(), m.GetCheckpointAfterTicks()),
	}
}

// milliseconds returns whichever of the two was given; a tick is 100 ns.
func milliseconds(ms int32, ticks int64) int32 {
	if ms != 0 || ticks == 0 {
		return ms
	}
	return int32(min(ticks/10_000, math.MaxInt32))
}

// Update changes a group.
func (s *groupsService) Update(ctx context.Context, req *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	o := req.GetOptions()
	if o.GetSettings() == nil {
		return nil, wire.Refused("a group needs options with its settings")
	}
	settings, err := updateSettings(o)
	if err != nil {
		return nil, err
	}
	if err := s.manage(ctx, settings.Stream); err != nil {
		return nil, err
	}
	err = s.server.groups.Update(ctx, settings, callerOf(ctx).name)
	return &persistent.UpdateResp{}, groupFailure(err, settings.Stream, settings.Group)
}

func updateSettings(o *persistent.UpdateReq_Options) (groups.Settings, error) {
	set := commonSettings(o.GetGroupName(), o.GetSettings())
	set.ConsumerStrategy = o.GetSettings().GetNamedConsumerStrategy().String()
	var err error
	switch option := o.GetStreamOption().(type) {
	case *persistent.UpdateReq_Options_All:
		set.Stream = groups.All
		switch v := option.All.GetAllOption().(type) {
		case *persistent.UpdateReq_AllOptions_Position:
			set.StartFrom, err = startFrom(v.Position.GetCommitPosition())
		case *persistent.UpdateReq_AllOptions_Start:
		case *persistent.UpdateReq_AllOptions_End:
			set.StartFrom = groups.FromEnd
		default:
			err = wire.NotValidGroup("UpdateReq+Types+AllOptions+AllOptionOneofCase")
		}
		return set, err
	case *persistent.UpdateReq_Options_Stream:
		if set.Stream, err = wire.StreamName(option.Stream.GetStreamIdentifier()); err != nil {
			return set, err
		}
		switch r := option.Stream.GetRevisionOption().(type) {
		case *persistent.UpdateReq_StreamOptions_Revision:
			set.StartFrom, err = startFrom(r.Revision)
		case *persistent.UpdateReq_StreamOptions_Start:
		case *persistent.UpdateReq_StreamOptions_End:
			set.StartFrom = groups.FromEnd
		default:
			err = wire.NotValidGroup("UpdateReq+Types+StreamOptions+RevisionOptionOneofCase")
		}
		return set, err
	}
	//lint:ignore SA1019 older clients, npm's among them, send only the deprecated field
	if set.Stream, err = wire.StreamName(o.GetStreamIdentifier()); err != nil {
		return set, err
	}
	//lint:ignore SA1019 older clients, npm's among them, send only the deprecated field
	set.StartFrom, err = startFrom(o.GetSettings().GetRevision())
	return set, err
}
