package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// AllStreams is the name of the stream that holds the events of all streams.
const AllStreams = "$all"

// Errors about consumer groups, to be tested with errors.Is.
var (
	// ErrGroupExists means that the stream has a group of that name already.
	ErrGroupExists = errors.New("consumer group exists")
	// ErrNoGroup means that the stream has no group of that name.
	ErrNoGroup = errors.New("no such consumer group")
)

// Strategy says to which of a group's subscribers an event goes. These are the names
// that servers use.
type Strategy string

// The strategies of the server.
const (
	// RoundRobin hands events to the subscribers in turn.
	RoundRobin Strategy = "RoundRobin"
	// DispatchToSingle hands all events to one subscriber while it has room.
	DispatchToSingle Strategy = "DispatchToSingle"
	// Pinned hands events of the same stream to the same subscriber where it can.
	Pinned Strategy = "Pinned"
	// PinnedByCorrelation does so by the metadata's $correlationId. The protocol can't change
	// an existing group to it: delete the group and create it again.
	PinnedByCorrelation Strategy = "PinnedByCorrelation"
)

// GroupSettings are a consumer group's settings on the server, where it is a persistent
// subscription.
type GroupSettings struct {
	// FromEnd begins the group with the events that come after its creation. False
	// begins it with the stream's first event. An existing group keeps its checkpoint.
	FromEnd bool
	// MaxRetries is how many times the server delivers an event again before it parks it. Zero
	// parks at the first failure.
	MaxRetries int
	// MessageTimeout is how long the server waits for an answer before it delivers the event
	// again, to the millisecond. Zero means that it waits for ever.
	MessageTimeout time.Duration
	// Strategy is how events are divided. Empty means [RoundRobin].
	Strategy Strategy
	// Filter selects events of a group on [AllStreams], when it is created. Other groups have none.
	Filter domain.Filter
}

// GroupInfo is what a server tells of a consumer group.
type GroupInfo struct {
	Stream, Group string
	// Settings lacks the filter: servers do not tell it.
	Settings GroupSettings
	// Status is the server's word, for example Live or Behind.
	Status string
	// Parked is the number of events that wait for a person or a replay.
	Parked int64
	// InFlight is the number of events that were handed out and not answered yet.
	InFlight int
	// Subscribers is the number of connections that take events.
	Subscribers int
}

// CreateGroup makes a consumer group on the stream, which need not exist yet. It fails
// with [ErrGroupExists] where there is one. Like every function about groups it goes to
// the leader, repeats what fails transiently until ctx ends, and needs a user who is
// allowed to manage groups (by default an administrator).
func (l *Log) CreateGroup(ctx context.Context, stream, group string, settings GroupSettings) error {
	options := &persistent.CreateReq_Options{GroupName: group, Settings: settings.create()}
	if stream == AllStreams {
		options.StreamOption = &persistent.CreateReq_Options_All{All: settings.createAll()}
	} else {
		at := &persistent.CreateReq_StreamOptions{StreamIdentifier: identifier(stream),
			RevisionOption: &persistent.CreateReq_StreamOptions_Start{Start: &shared.Empty{}}}
		if settings.FromEnd {
			at.RevisionOption = &persistent.CreateReq_StreamOptions_End{End: &shared.Empty{}}
		}
		options.StreamOption = &persistent.CreateReq_Options_Stream{Stream: at}
	}
	return l.group(ctx, "create", stream, group, func(ctx context.Context, c persistent.PersistentSubscriptionsClient) error {
		_, err := c.Create(ctx, &persistent.CreateReq{Options: options})
		return err
	})
}

// UpdateGroup gives an existing group other settings; it disconnects its subscribers,
// which come back. [PinnedByCorrelation] and a filter can't be set this way.
func (l *Log) UpdateGroup(ctx context.Context, stream, group string, settings GroupSettings) error {
	if settings.Strategy == PinnedByCorrelation || len(settings.Filter.Prefixes) > 0 {
		return fmt.Errorf("update group %s on %s: the protocol sets PinnedByCorrelation and filters only at creation: delete the group and create it again", group, stream)
	}
	options := &persistent.UpdateReq_Options{GroupName: group, Settings: settings.update()}
	if stream == AllStreams {
		at := &persistent.UpdateReq_AllOptions{AllOption: &persistent.UpdateReq_AllOptions_Start{Start: &shared.Empty{}}}
		if settings.FromEnd {
			at.AllOption = &persistent.UpdateReq_AllOptions_End{End: &shared.Empty{}}
		}
		options.StreamOption = &persistent.UpdateReq_Options_All{All: at}
	} else {
		at := &persistent.UpdateReq_StreamOptions{StreamIdentifier: identifier(stream),
			RevisionOption: &persistent.UpdateReq_StreamOptions_Start{Start: &shared.Empty{}}}
		if settings.FromEnd {
			at.RevisionOption = &persistent.UpdateReq_StreamOptions_End{End: &shared.Empty{}}
		}
		options.StreamOption = &persistent.UpdateReq_Options_Stream{Stream: at}
	}
	return l.group(ctx, "update", stream, group, func(ctx context.Context, c persistent.PersistentSubscriptionsClient) error {
		_, err := c.Update(ctx, &persistent.UpdateReq{Options: options})
		return err
	})
}

// DeleteGroup removes a group with its checkpoint; the events stay.
func (l *Log) DeleteGroup(ctx context.Context, stream, group string) error {
	options := &persistent.DeleteReq_Options{GroupName: group, StreamOption: &persistent.DeleteReq_Options_StreamIdentifier{StreamIdentifier: identifier(stream)}}
	if stream == AllStreams {
		options.StreamOption = &persistent.DeleteReq_Options_All{All: &shared.Empty{}}
	}
	return l.group(ctx, "delete", stream, group, func(ctx context.Context, c persistent.PersistentSubscriptionsClient) error {
		_, err := c.Delete(ctx, &persistent.DeleteReq{Options: options})
		return err
	})
}

// ReplayParked puts the group's parked events back among those to be delivered, with
// their attempts counted from one again.
func (l *Log) ReplayParked(ctx context.Context, stream, group string) error {
	options := &persistent.ReplayParkedReq_Options{GroupName: group,
		StreamOption: &persistent.ReplayParkedReq_Options_StreamIdentifier{StreamIdentifier: identifier(stream)},
		StopAtOption: &persistent.ReplayParkedReq_Options_NoLimit{NoLimit: &shared.Empty{}}}
	if stream == AllStreams {
		options.StreamOption = &persistent.ReplayParkedReq_Options_All{All: &shared.Empty{}}
	}
	return l.group(ctx, "replay the parked events of", stream, group, func(ctx context.Context, c persistent.PersistentSubscriptionsClient) error {
		_, err := c.ReplayParked(ctx, &persistent.ReplayParkedReq{Options: options})
		return err
	})
}

// Group tells how a group is set and how it fares.
func (l *Log) Group(ctx context.Context, stream, group string) (GroupInfo, error) {
	options := &persistent.GetInfoReq_Options{GroupName: group, StreamOption: &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: identifier(stream)}}
	if stream == AllStreams {
		options.StreamOption = &persistent.GetInfoReq_Options_All{All: &shared.Empty{}}
	}
	var info *persistent.SubscriptionInfo
	err := l.group(ctx, "look at", stream, group, func(ctx context.Context, c persistent.PersistentSubscriptionsClient) error {
		answer, err := c.GetInfo(ctx, &persistent.GetInfoReq{Options: options})
		info = answer.GetSubscriptionInfo()
		return err
	})
	if err != nil {
		return GroupInfo{}, err
	}
	return GroupInfo{
		Stream: stream, Group: group, Status: info.GetStatus(), Parked: info.GetParkedMessageCount(),
		InFlight: int(info.GetTotalInFlightMessages()), Subscribers: len(info.GetConnections()),
		Settings: GroupSettings{
			// "-1" on a stream, "C:-1/P:-1" on all; some servers leave it empty for the start.
			FromEnd:    info.GetStartFrom() == "-1" || info.GetStartFrom() == "C:-1/P:-1",
			MaxRetries: int(info.GetMaxRetryCount()), Strategy: Strategy(info.GetNamedConsumerStrategy()),
			MessageTimeout: time.Duration(info.GetMessageTimeoutMilliseconds()) * time.Millisecond,
		},
	}, nil
}

// group makes a call about a consumer group.
func (l *Log) group(ctx context.Context, act, stream, group string, call func(context.Context, persistent.PersistentSubscriptionsClient) error) error {
	ctx, unbind := l.bind(ctx)
	defer unbind()
	what := fmt.Sprintf("%s group %s on %s", act, group, stream)
	return l.persist(ctx, what, l.appends, func(ctx context.Context, at *nodes.Link, s *nodes.Session) error {
		timed, cancel := undated(at.Outgoing(ctx, true))
		defer cancel()
		defer time.AfterFunc(l.cfg.AttemptTimeout, cancel).Stop()
		trailer := metadata.MD{}
		err := call(timed, persistent.NewPersistentSubscriptionsClient(withTrailer{s.Conn, &trailer}))
		if err == nil {
			return nil
		}
		switch {
		case nodes.ExceptionOf(trailer) == nodes.ExceptionGroupExists, status.Code(err) == codes.AlreadyExists:
			return fmt.Errorf("%w (%w)", ErrGroupExists, err)
		case nodes.ExceptionOf(trailer) == nodes.ExceptionGroupDoesNotExist,
			status.Code(err) == codes.NotFound && nodes.ExceptionOf(trailer) != nodes.ExceptionNotLeader:
			return fmt.Errorf("%w (%w)", ErrNoGroup, err)
		}
		return nodes.Translate(err, trailer)
	})
}

// The server's defaults, for settings that nobody has needed to change.
const (
	minCheckpoint   = 10
	maxCheckpoint   = 1000
	checkpointAfter = 2000 // milliseconds
	liveBuffer      = 500
	readBatch       = 20
	historyBuffer   = 500
)

func (g GroupSettings) create() *persistent.CreateReq_Settings {
	strategy := g.Strategy
	if strategy == "" {
		strategy = RoundRobin
	}
	return &persistent.CreateReq_Settings{
		ResolveLinks: true, MaxRetryCount: int32(min(g.MaxRetries, math.MaxInt32)),
		MinCheckpointCount: minCheckpoint, MaxCheckpointCount: maxCheckpoint,
		CheckpointAfter: &persistent.CreateReq_Settings_CheckpointAfterMs{CheckpointAfterMs: checkpointAfter},
		LiveBufferSize:  liveBuffer, ReadBatchSize: readBatch, HistoryBufferSize: historyBuffer,
		MessageTimeout:   &persistent.CreateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: g.timeout()},
		ConsumerStrategy: string(strategy),
	}
}

func (g GroupSettings) createAll() *persistent.CreateReq_AllOptions {
	at := &persistent.CreateReq_AllOptions{AllOption: &persistent.CreateReq_AllOptions_Start{Start: &shared.Empty{}}}
	if g.FromEnd {
		at.AllOption = &persistent.CreateReq_AllOptions_End{End: &shared.Empty{}}
	}
	selected := wire.Expression(g.Filter)
	at.FilterOption = &persistent.CreateReq_AllOptions_Filter{Filter: &persistent.CreateReq_AllOptions_FilterOptions{
		Filter: &persistent.CreateReq_AllOptions_FilterOptions_StreamIdentifier{
			StreamIdentifier: &persistent.CreateReq_AllOptions_FilterOptions_Expression{Regex: selected.GetRegex(), Prefix: selected.GetPrefix()}},
		Window:                       &persistent.CreateReq_AllOptions_FilterOptions_Max{Max: wire.SearchWindow},
		CheckpointIntervalMultiplier: wire.CheckpointEvery,
	}}
	return at
}

func (g GroupSettings) update() *persistent.UpdateReq_Settings {
	strategy := persistent.UpdateReq_RoundRobin
	switch g.Strategy {
	case DispatchToSingle:
		strategy = persistent.UpdateReq_DispatchToSingle
	case Pinned:
		strategy = persistent.UpdateReq_Pinned
	}
	return &persistent.UpdateReq_Settings{
		ResolveLinks: true, MaxRetryCount: int32(min(g.MaxRetries, math.MaxInt32)),
		MinCheckpointCount: minCheckpoint, MaxCheckpointCount: maxCheckpoint,
		CheckpointAfter: &persistent.UpdateReq_Settings_CheckpointAfterMs{CheckpointAfterMs: checkpointAfter},
		LiveBufferSize:  liveBuffer, ReadBatchSize: readBatch, HistoryBufferSize: historyBuffer,
		MessageTimeout:        &persistent.UpdateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: g.timeout()},
		NamedConsumerStrategy: strategy,
	}
}

// timeout is the message timeout in the protocol's unit.
func (g GroupSettings) timeout() int32 {
	return int32(min(g.MessageTimeout.Milliseconds(), math.MaxInt32))
}

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

// withTrailer keeps the trailers of the calls that are made through it, one at a time.
type withTrailer struct {
	grpc.ClientConnInterface
	trailer *metadata.MD
}

// Invoke implements grpc.ClientConnInterface.
func (w withTrailer) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return w.ClientConnInterface.Invoke(ctx, method, args, reply, append(opts, grpc.Trailer(w.trailer))...)
}
