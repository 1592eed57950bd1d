package esdbserver

import (
	"context"
	"errors"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
)

// Delete ends a group.
func (s *groupsService) Delete(ctx context.Context, req *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	o := req.GetOptions()
	_, all := o.GetStreamOption().(*persistent.DeleteReq_Options_All)
	stream, err := groupStream(all, o.GetStreamIdentifier())
	if err != nil {
		return nil, err
	}
	if err := s.manage(ctx, stream); err != nil {
		return nil, err
	}
	err = s.server.groups.Delete(ctx, stream, o.GetGroupName(), callerOf(ctx).name)
	return &persistent.DeleteResp{}, groupFailure(err, stream, o.GetGroupName())
}

// GetInfo describes a group.
func (s *groupsService) GetInfo(ctx context.Context, req *persistent.GetInfoReq) (*persistent.GetInfoResp, error) {
	o := req.GetOptions()
	_, all := o.GetStreamOption().(*persistent.GetInfoReq_Options_All)
	stream, err := groupStream(all, o.GetStreamIdentifier())
	if err != nil {
		return nil, err
	}
	if err := s.server.allow.require(ctx, read, stream); err != nil {
		return nil, err
	}
	g, err := s.server.groups.Get(stream, o.GetGroupName())
	if err != nil {
		return nil, groupFailure(err, stream, o.GetGroupName())
	}
	info, err := g.Info(ctx)
	if err != nil {
		return nil, err
	}
	return &persistent.GetInfoResp{SubscriptionInfo: infoMessage(info)}, nil
}

// List describes all groups, or those over one stream.
func (s *groupsService) List(ctx context.Context, req *persistent.ListReq) (*persistent.ListResp, error) {
	stream := ""
	switch option := req.GetOptions().GetListOption().(type) {
	case *persistent.ListReq_Options_ListAllSubscriptions:
	case *persistent.ListReq_Options_ListForStream:
		_, all := option.ListForStream.GetStreamOption().(*persistent.ListReq_StreamOption_All)
		var err error
		if stream, err = groupStream(all, option.ListForStream.GetStream()); err != nil {
			return nil, err
		}
	default:
		return nil, wire.InvalidArgument("all, or a stream, is required")
	}
	// Any caller with a role may list groups, as with GetInfo.
	if err := s.server.allow.authenticated(ctx); err != nil {
		return nil, err
	}
	list, err := s.server.groups.List(stream)
	if err == nil && len(list) == 0 && stream != "" {
		err = groups.ErrNotFound
	}
	if err != nil {
		return nil, groupFailure(err, stream, "")
	}
	resp := &persistent.ListResp{}
	for _, g := range list {
		info, err := g.Info(ctx)
		if err != nil {
			return nil, err
		}
		resp.Subscriptions = append(resp.Subscriptions, infoMessage(info))
	}
	return resp, nil
}

// negativeStop is the original's error for a replay that is to stop before the first event.
const negativeStop = "Cannot stop replaying parked message at a negative version."

// ReplayParked gives a group's parked messages out again.
func (s *groupsService) ReplayParked(ctx context.Context, req *persistent.ReplayParkedReq) (*persistent.ReplayParkedResp, error) {
	o := req.GetOptions()
	_, all := o.GetStreamOption().(*persistent.ReplayParkedReq_Options_All)
	stream, err := groupStream(all, o.GetStreamIdentifier())
	if err != nil {
		return nil, err
	}
	if err := s.manage(ctx, stream); err != nil {
		return nil, err
	}
	stopAt := int64(-1)
	switch option := o.GetStopAtOption().(type) {
	case *persistent.ReplayParkedReq_Options_StopAt:
		if stopAt = option.StopAt; stopAt < 0 {
			//lint:ignore ST1005 the words of a real server, which clients may compare
			return nil, groupFailure(&groups.InvalidError{Err: errors.New(negativeStop)}, stream, o.GetGroupName())
		}
	case *persistent.ReplayParkedReq_Options_NoLimit:
	default:
		return nil, wire.Refused("where to stop, or that there is no limit, is required")
	}
	g, err := s.server.groups.Get(stream, o.GetGroupName())
	if err == nil {
		err = g.Replay(ctx, stopAt)
	}
	return &persistent.ReplayParkedResp{}, groupFailure(err, stream, o.GetGroupName())
}

// RestartSubsystem ends all groups and starts them again.
func (s *groupsService) RestartSubsystem(ctx context.Context, _ *shared.Empty) (*shared.Empty, error) {
	if err := s.manage(ctx, groups.All); err != nil {
		return nil, err
	}
	// A caller that leaves in the middle must not leave the groups stopped.
	err := s.server.groups.Restart(context.WithoutCancel(ctx))
	return &shared.Empty{}, groupFailure(err, groups.All, "")
}

func infoMessage(i groups.Info) *persistent.SubscriptionInfo {
	out := &persistent.SubscriptionInfo{
		EventSource: i.Stream, GroupName: i.Group, Status: i.Status,
		AveragePerSecond: i.AveragePerSecond, TotalItems: i.Total, CountSinceLastMeasurement: i.SinceLast,
		LastCheckpointedEventPosition: i.Checkpointed, LastKnownEventPosition: i.LastKnown, StartFrom: i.Start,
		ResolveLinkTos: i.ResolveLinks, MessageTimeoutMilliseconds: i.MessageTimeout, ExtraStatistics: i.ExtraStatistics,
		MaxRetryCount: i.MaxRetryCount, LiveBufferSize: i.LiveBufferSize, BufferSize: i.HistoryBufferSize,
		ReadBatchSize: i.ReadBatchSize, CheckPointAfterMilliseconds: i.CheckPointAfter,
		MinCheckPointCount: i.MinCheckPointCount, MaxCheckPointCount: i.MaxCheckPointCount,
		ReadBufferCount: i.ReadBuffer, RetryBufferCount: i.RetryBuffer,
		TotalInFlightMessages: i.InFlight, OutstandingMessagesCount: i.Outstanding,
		NamedConsumerStrategy: i.Strategy(), MaxSubscriberCount: i.MaxSubscriberCount, ParkedMessageCount: i.Parked,
	}
	for _, c := range i.Clients {
		connection := &persistent.SubscriptionInfo_ConnectionInfo{
			From: c.From, Username: c.User, ConnectionName: c.Name,
			AverageItemsPerSecond: c.AveragePerSecond, TotalItems: c.Total, CountSinceLastMeasurement: c.SinceLast,
			AvailableSlots: c.AvailableSlots, InFlightMessages: c.InFlightNow,
		}
		for _, m := range c.Measurements {
			connection.ObservedMeasurements = append(connection.ObservedMeasurements, &persistent.SubscriptionInfo_Measurement{Key: m.Name, Value: m.Value})
		}
		out.Connections = append(out.Connections, connection)
	}
	return out
}
