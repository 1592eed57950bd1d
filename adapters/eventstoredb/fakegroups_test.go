package eventstoredb

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

// fakeGroup is a persistent subscription of the fake server: it knows retries, parking
// and what becomes of a lost subscriber's messages, and neither timeouts nor checkpoints.
type fakeGroup struct {
	mu       sync.Mutex
	settings *persistent.CreateReq_Settings
	stop     context.CancelFunc
	pending  []*fakeMessage
	parked   []*fakeMessage
	conns    []*fakeConn
	nacks    []*persistent.ReadReq_Nack
	acks     int
	changed  chan struct{} // closed and replaced with every ack, nack and park
}

type fakeMessage struct {
	event   domain.Recorded
	retries int
}

type fakeConn struct {
	room     int
	inFlight map[uuid.UUID]*fakeMessage
	push     chan *persistent.ReadResp
}

// groupOf returns the group, or nil.
func (f *fakeServer) groupOf(stream, name string) *fakeGroup {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.groups[stream+"::"+name]
}

func (f fakeGroups) Create(_ context.Context, r *persistent.CreateReq) (*persistent.CreateResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.creates = append(f.creates, r)
	stream := string(r.GetOptions().GetStream().GetStreamIdentifier().GetStreamName())
	key := stream + "::" + r.GetOptions().GetGroupName()
	if f.groups[key] != nil {
		return nil, status.Error(codes.AlreadyExists, "exists")
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &fakeGroup{settings: r.GetOptions().GetSettings(), stop: stop, changed: make(chan struct{})}
	if f.groups == nil {
		f.groups = map[string]*fakeGroup{}
	}
	f.groups[key] = g
	f.t.Cleanup(stop)
	go func() {
		for d, err := range f.log.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{stream}}) {
			if err == nil && d.Event != nil && d.Event.Stream == stream {
				g.do(func() { g.pending = append(g.pending, &fakeMessage{event: *d.Event}) })
			}
		}
	}()
	return &persistent.CreateResp{}, nil
}

// do changes the group and then hands out what can be handed out.
func (g *fakeGroup) do(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	for len(g.pending) > 0 {
		i := slices.IndexFunc(g.conns, func(c *fakeConn) bool { return len(c.inFlight) < c.room })
		if i < 0 {
			break
		}
		c, m := g.conns[i], g.pending[0]
		g.pending = g.pending[1:]
		g.conns = append(slices.Delete(g.conns, i, i+1), c) // the next one's turn
		c.inFlight[m.event.ID] = m
		wire := sendEvent(m.event).GetEvent().GetEvent()
		c.push <- &persistent.ReadResp{Content: &persistent.ReadResp_Event{Event: &persistent.ReadResp_ReadEvent{
			Event: &persistent.ReadResp_ReadEvent_RecordedEvent{Id: wire.Id, StreamIdentifier: wire.StreamIdentifier,
				StreamRevision: wire.StreamRevision, CommitPosition: wire.CommitPosition, PreparePosition: wire.PreparePosition,
				Metadata: wire.Metadata, CustomMetadata: wire.CustomMetadata, Data: wire.Data},
			Count: &persistent.ReadResp_ReadEvent_RetryCount{RetryCount: int32(m.retries)},
		}}}
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// again retries or parks the message.
func (g *fakeGroup) again(m *fakeMessage) {
	if m.retries >= int(g.settings.GetMaxRetryCount()) {
		g.parked = append(g.parked, m)
		return
	}
	m.retries++
	g.pending = append([]*fakeMessage{m}, g.pending...)
}

// when waits until the condition holds.
func (g *fakeGroup) when(ctx context.Context, holds func() bool) error {
	for {
		g.mu.Lock()
		done, changed := holds(), g.changed
		g.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f fakeGroups) Read(call persistent.PersistentSubscriptions_ReadServer) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	o := first.GetOptions()
	g := f.groupOf(string(o.GetStreamIdentifier().GetStreamName()), o.GetGroupName())
	if g == nil {
		return status.Error(codes.NotFound, "no such group")
	}
	if err := call.Send(&persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: "id"}}}); err != nil {
		return err
	}
	c := &fakeConn{room: int(o.GetBufferSize()), inFlight: map[uuid.UUID]*fakeMessage{}, push: make(chan *persistent.ReadResp, 100_000)}
	g.do(func() { g.conns = append(g.conns, c) })
	defer g.do(func() {
		g.conns = slices.DeleteFunc(g.conns, func(other *fakeConn) bool { return other == c })
		for _, m := range c.inFlight {
			g.again(m)
		}
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			m, err := call.Recv()
			if err != nil {
				return
			}
			g.do(func() { g.settle(c, m) })
		}
	}()
	for {
		select {
		case m := <-c.push:
			if err := call.Send(m); err != nil {
				return err
			}
		case <-ended:
			return nil
		case <-call.Context().Done():
			return status.FromContextError(call.Context().Err()).Err()
		}
	}
}

// settle applies a subscriber's answer.
func (g *fakeGroup) settle(c *fakeConn, answer *persistent.ReadReq) {
	take := func(ids []*shared.UUID, then func(*fakeMessage)) {
		for _, id := range ids {
			if m := c.inFlight[wire.ReadID(id)]; m != nil {
				delete(c.inFlight, wire.ReadID(id))
				then(m)
			}
		}
	}
	take(answer.GetAck().GetIds(), func(*fakeMessage) { g.acks++ })
	if n := answer.GetNack(); n != nil {
		g.nacks = append(g.nacks, n)
		take(n.GetIds(), func(m *fakeMessage) {
			if n.GetAction() == persistent.ReadReq_Nack_Park {
				g.parked = append(g.parked, m)
				return
			}
			g.again(m)
		})
	}
}

func (f fakeGroups) Update(_ context.Context, request *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updates = append(f.updates, request)
	return &persistent.UpdateResp{}, nil
}

func (f fakeGroups) GetInfo(_ context.Context, r *persistent.GetInfoReq) (*persistent.GetInfoResp, error) {
	f.mu.Lock()
	info := f.info
	f.mu.Unlock()
	if info != nil {
		return &persistent.GetInfoResp{SubscriptionInfo: info}, nil
	}
	g := f.groupOf(string(r.GetOptions().GetStreamIdentifier().GetStreamName()), r.GetOptions().GetGroupName())
	if g == nil {
		return nil, status.Error(codes.NotFound, "no such group")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return &persistent.GetInfoResp{SubscriptionInfo: &persistent.SubscriptionInfo{
		MaxRetryCount: g.settings.GetMaxRetryCount(), MessageTimeoutMilliseconds: g.settings.GetMessageTimeoutMs(),
		NamedConsumerStrategy: g.settings.GetConsumerStrategy(), ParkedMessageCount: int64(len(g.parked)), Status: "Live",
		StartFrom: strconv.Itoa(0),
	}}, nil
}

func (f fakeGroups) Delete(_ context.Context, r *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := string(r.GetOptions().GetStreamIdentifier().GetStreamName()) + "::" + r.GetOptions().GetGroupName()
	if f.groups[key] == nil {
		return nil, status.Error(codes.NotFound, "no such group")
	}
	f.groups[key].stop()
	delete(f.groups, key)
	return &persistent.DeleteResp{}, nil
}
