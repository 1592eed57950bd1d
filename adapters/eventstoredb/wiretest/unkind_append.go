package wiretest

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

type unkindStreams struct {
	api.UnimplementedStreamsServer
	*Unkind
}

// hiding is the newest part of a stream that reads do not show yet.
type hiding struct {
	from  uint64 // revision
	until time.Time
}

// hide keeps what an append wrote from reads, and returns when its acknowledgement may come.
func (u *Unkind) hide(stream string, last uint64, events int, lag time.Duration) time.Duration {
	if lag == 0 || events == 0 {
		return 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counts["appends hidden from reads"]++
	now := time.Now()
	kept := u.hidden[stream][:0]
	for _, h := range u.hidden[stream] {
		if h.until.After(now) {
			kept = append(kept, h)
		}
	}
	u.hidden[stream] = append(kept, hiding{from: last + 1 - uint64(events), until: now.Add(lag)})
	return lag / 2
}

// shown is the first revision of the stream that reads do not show.
func (u *Unkind) shown(stream string) uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	first := uint64(math.MaxUint64)
	for _, h := range u.hidden[stream] {
		if h.until.After(time.Now()) {
			first = min(first, h.from)
		}
	}
	return first
}

// takeOff notes an append under way; false means that an identical one is.
func (u *Unkind) takeOff(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.flights[key] {
		u.counts["dropped duplicates"]++
		return false
	}
	u.flights[key] = true
	return true
}

func (u *Unkind) land(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.flights, key)
}

// wait waits, and fails with the caller.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errTimedOut is how a server answers an append that it dropped.
var errTimedOut = status.Error(codes.Aborted, "Operation timed out: Commit phase timeout.")

// Append passes one append on.
func (u unkindStreams) Append(call api.Streams_AppendServer) error {
	var requests []*api.AppendReq
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		requests = append(requests, m)
	}
	key := ""
	if len(requests) > 1 {
		key = string(requests[0].GetOptions().GetStreamIdentifier().GetStreamName()) + requests[1].GetProposedMessage().GetId().String()
	}
	if u.DropDuplicates > 0 && key != "" {
		if !u.takeOff(key) {
			return errors.Join(wait(call.Context(), u.DropDuplicates), errTimedOut)
		}
		defer u.land(key)
	}
	lag := u.lag()
	answer, err := u.append(call.Context(), requests)
	if err != nil {
		return err
	}
	if ok := answer.GetSuccess(); ok != nil {
		stream := string(requests[0].GetOptions().GetStreamIdentifier().GetStreamName())
		if err := wait(call.Context(), u.hide(stream, ok.GetCurrentRevision(), len(requests)-1, lag)); err != nil {
			return err
		}
		if p := ok.GetPosition(); p != nil {
			p.CommitPosition, p.PreparePosition = u.out(p.CommitPosition), u.out(p.PreparePosition)
		}
	}
	if u.chance(u.Silence) {
		u.count("appends that were never answered")
		<-call.Context().Done()
		return call.Context().Err()
	}
	return call.SendAndClose(answer)
}

func (u *Unkind) append(ctx context.Context, requests []*api.AppendReq) (*api.AppendResp, error) {
	to, err := api.NewStreamsClient(u.target).Append(passOn(context.WithoutCancel(ctx)))
	if err != nil {
		return nil, err
	}
	for _, m := range requests {
		if to.Send(m) != nil {
			break // the answer says why
		}
	}
	return to.CloseAndRecv()
}

// BatchAppend passes batches on, whole ones only.
func (u unkindStreams) BatchAppend(call api.Streams_BatchAppendServer) error {
	ctx, cancel := context.WithCancel(passOn(context.WithoutCancel(call.Context())))
	defer cancel()
	to, err := api.NewStreamsClient(u.target).BatchAppend(ctx)
	if err != nil {
		return err
	}
	b := &unkindBatches{Unkind: u.Unkind, call: call, pending: map[string]*api.BatchAppendReq{}, ended: make(chan error, 3)}
	go func() { b.ended <- b.forward(to) }()
	go func() { b.ended <- b.answer(to) }()
	select {
	case err = <-b.ended:
	case <-call.Context().Done():
		err = call.Context().Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.pending {
		b.land(batchKey(m))
	}
	return err
}

// unkindBatches is one batch call.
type unkindBatches struct {
	*Unkind
	call  api.Streams_BatchAppendServer
	ended chan error

	sending sync.Mutex
	mu      sync.Mutex
	pending map[string]*api.BatchAppendReq
}

func batchKey(m *api.BatchAppendReq) string {
	if len(m.GetProposedMessages()) == 0 {
		return ""
	}
	return string(m.GetOptions().GetStreamIdentifier().GetStreamName()) + m.GetProposedMessages()[0].GetId().String()
}

func (b *unkindBatches) send(m *api.BatchAppendResp) error {
	b.sending.Lock()
	defer b.sending.Unlock()
	return b.call.Send(m)
}

// forward takes batches from the client.
func (b *unkindBatches) forward(to api.Streams_BatchAppendClient) error {
	for {
		m, err := b.call.Recv()
		if err != nil {
			return err
		}
		if b.EndCalls > 0 && b.chance(b.EndCalls) {
			b.count("batch calls that ended as a whole")
			if p := connectionOf(b.call.Context()); p != nil {
				p.set()
			}
			b.call.SetTrailer(metadata.Pairs("exception", "not-leader"))
			return status.Error(codes.NotFound, "Leader info available")
		}
		if key := batchKey(m); b.DropDuplicates > 0 && key != "" && !b.takeOff(key) {
			go func() {
				if wait(b.call.Context(), b.DropDuplicates) == nil {
					_ = b.send(dropped(m))
				}
			}()
			continue
		}
		b.mu.Lock()
		b.pending[m.GetCorrelationId().String()] = m
		b.mu.Unlock()
		if err := to.Send(m); err != nil {
			return err
		}
	}
}

// dropped is how a server answers a batch that it dropped.
func dropped(m *api.BatchAppendReq) *api.BatchAppendResp {
	detail, err := anypb.New(&shared.Timeout{})
	if err != nil {
		panic(err) // it has no content that could be wrong
	}
	return &api.BatchAppendResp{CorrelationId: m.GetCorrelationId(), StreamIdentifier: m.GetOptions().GetStreamIdentifier(),
		Result: &api.BatchAppendResp_Error{Error: &rpcstatus.Status{Code: int32(codes.DeadlineExceeded), Message: "Timeout", Details: []*anypb.Any{detail}}}}
}

// answer passes the target's answers on, late or never.
func (b *unkindBatches) answer(to api.Streams_BatchAppendClient) error {
	for {
		m, err := to.Recv()
		if err != nil {
			return err
		}
		id := m.GetCorrelationId().String()
		b.mu.Lock()
		asked := b.pending[id]
		delete(b.pending, id)
		b.mu.Unlock()
		if ok := m.GetSuccess(); ok != nil && asked != nil {
			if p := ok.GetPosition(); p != nil {
				p.CommitPosition, p.PreparePosition = b.out(p.CommitPosition), b.out(p.PreparePosition)
			}
			stream := string(asked.GetOptions().GetStreamIdentifier().GetStreamName())
			delay := b.hide(stream, ok.GetCurrentRevision(), len(asked.GetProposedMessages()), b.lag())
			silent := b.chance(b.Silence)
			if silent {
				b.count("appends that were never answered")
			}
			go func() {
				_ = wait(b.call.Context(), delay)
				b.land(batchKey(asked))
				if !silent {
					_ = b.send(m)
				}
			}()
			continue
		}
		if asked != nil {
			b.land(batchKey(asked))
		}
		if err := b.send(m); err != nil {
			return err
		}
	}
}
