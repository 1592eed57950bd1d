package esdbserver

import (
	"context"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
	"github.com/atonehq/atone/domain"
)

// maxInFlight bounds how many messages one consumer may have in flight.
const maxInFlight = 10_000

// Read connects a consumer to a group.
func (s *groupsService) Read(call persistent.PersistentSubscriptions_ReadServer) error {
	first, err := call.Recv()
	if err != nil {
		return ignoreEOF(err) // the caller asked for nothing
	}
	o := first.GetOptions()
	if o == nil {
		return wire.Refused("a consumer begins with its options")
	}
	_, all := o.GetStreamOption().(*persistent.ReadReq_Options_All)
	stream, err := groupStream(all, o.GetStreamIdentifier())
	if err != nil {
		return err
	}
	if o.GetBufferSize() < 1 || o.GetBufferSize() > maxInFlight {
		return wire.Refused("a buffer of %d is not possible: choose 1 to %d", o.GetBufferSize(), maxInFlight)
	}
	if err := s.server.allow.require(call.Context(), consumeGroup, stream); err != nil {
		return err
	}
	ctx, done, err := s.server.subscribe(call.Context(), consumeGroup, stream)
	if err != nil {
		return err
	}
	defer done()
	group := o.GetGroupName()
	g, err := s.server.groups.Get(stream, group)
	if err != nil {
		return groupFailure(err, stream, group)
	}
	var may func(*domain.Recorded) bool
	if c := callerOf(ctx); c.role == RoleApp {
		may = func(e *domain.Recorded) bool { return !s.server.allow.hidesEvent(c, e) }
	}
	client, err := g.Connect(int(o.GetBufferSize()), userName(ctx), from(ctx), connectionName(ctx), may)
	if err != nil {
		return groupFailure(err, stream, group)
	}
	defer client.Close()
	err = call.Send(&persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: stream + "::" + group},
	}})
	if err != nil {
		return err
	}
	return s.consume(ctx, call, client, stream, o)
}

// consume sends what the group gives out and passes on what the consumer says of it.
func (s *groupsService) consume(ctx context.Context, call persistent.PersistentSubscriptions_ReadServer, client *groups.Client, stream string, o *persistent.ReadReq_Options) error {
	_, asString := o.GetUuidOption().GetContent().(*persistent.ReadReq_Options_UUIDOption_String_)
	received := make(chan error, 1)
	// The goroutine ends with the call, at the latest: Recv fails then.
	go func() { received <- receiveVerdicts(call, client) }()
	for {
		select {
		case d := <-client.Deliveries:
			if err := call.Send(deliveryMessage(d, !asString)); err != nil {
				return err
			}
		case err := <-received:
			if err != nil {
				return err
			}
			received = nil // the consumer will say nothing more, but may go on listening
		case <-client.Gone:
			return groupFailure(client.Err(), stream, o.GetGroupName())
		case <-ctx.Done():
			if s.server.closing.Err() != nil {
				return groupFailure(groups.ErrDropped, stream, o.GetGroupName())
			}
			return s.server.subscriptionEnded(ctx, ctx.Err())
		}
	}
}

// receiveVerdicts runs until the consumer has sent its last message. Its error says what is
// malformed.
func receiveVerdicts(call persistent.PersistentSubscriptions_ReadServer, client *groups.Client) error {
	for {
		req, err := call.Recv()
		if err != nil {
			return nil //nolint:nilerr // if it is not the end of the messages, gRPC has ended the call
		}
		switch m := req.GetContent().(type) {
		case *persistent.ReadReq_Ack_:
			ids, err := fromUUIDs(m.Ack.GetIds())
			if err != nil {
				return err
			}
			client.Ack(ids)
		case *persistent.ReadReq_Nack_:
			ids, err := fromUUIDs(m.Nack.GetIds())
			if err != nil {
				return err
			}
			verdict, ok := verdicts[m.Nack.GetAction()]
			if !ok {
				return wire.InvalidArgument("%v is no nack action", m.Nack.GetAction())
			}
			client.Nack(ids, verdict, m.Nack.GetReason())
		case *persistent.ReadReq_Options_: // the first count
		default:
			return wire.Refused("a consumer sends acks and nacks")
		}
	}
}

var verdicts = map[persistent.ReadReq_Nack_Action]groups.Verdict{
	persistent.ReadReq_Nack_Unknown: groups.Retry,
	persistent.ReadReq_Nack_Park:    groups.Park,
	persistent.ReadReq_Nack_Retry:   groups.Retry,
	persistent.ReadReq_Nack_Skip:    groups.Skip,
	persistent.ReadReq_Nack_Stop:    groups.Stop,
}

func fromUUIDs(ids []*shared.UUID) ([]uuid.UUID, error) {
	out := make([]uuid.UUID, 0, len(ids))
	for _, id := range ids {
		u, err := wire.FromUUID(id)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func deliveryMessage(d groups.Delivery, structured bool) *persistent.ReadResp {
	return &persistent.ReadResp{Content: &persistent.ReadResp_Event{Event: &persistent.ReadResp_ReadEvent{
		Event: groupRecorded(d.Event.Event, structured), Link: groupRecorded(d.Event.Link, structured),
		Position: &persistent.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(d.Event.Original().Position)},
		Count:    &persistent.ReadResp_ReadEvent_RetryCount{RetryCount: d.Retries},
	}}}
}

func groupRecorded(e *domain.Recorded, structured bool) *persistent.ReadResp_ReadEvent_RecordedEvent {
	if e == nil {
		return nil
	}
	return &persistent.ReadResp_ReadEvent_RecordedEvent{
		Id: wire.ToUUID(e.ID, structured), StreamIdentifier: wire.StreamID(e.Stream), StreamRevision: e.Revision,
		PreparePosition: uint64(e.Position), CommitPosition: uint64(e.Position),
		Metadata: wire.EventMetadata(e), CustomMetadata: e.Metadata, Data: e.Data,
	}
}

func userName(ctx context.Context) string {
	if name := callerOf(ctx).name; name != "" {
		return name
	}
	return "anonymous"
}

func from(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

func connectionName(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if names := md.Get("connection-name"); len(names) > 0 {
		return names[0]
	}
	return "<unknown>"
}
