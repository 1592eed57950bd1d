package wiretest

import (
	"errors"
	"io"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Positions grow with gaps: that of the target's p is out(p), and no other is a record's.
const gap = 101

// in is the target's position; false means that the position is no record's.
func (u *Unkind) in(p uint64) (uint64, bool) {
	if !u.Gaps || p > math.MaxInt64 {
		return p, true
	}
	back := p / gap
	return back, u.out(back) == p
}

// Read passes a read or a subscription on.
func (u unkindStreams) Read(request *api.ReadReq, call api.Streams_ReadServer) error {
	o := request.GetOptions()
	r := &unkindRead{Unkind: u.Unkind, call: call, options: o, subscription: o.GetSubscription() != nil}
	if at := o.GetAll().GetPosition(); at != nil {
		commit, ok := u.in(at.CommitPosition)
		if !ok {
			return r.invalidPosition()
		}
		at.CommitPosition, at.PreparePosition = commit, commit
	}
	if s := o.GetStream(); s != nil {
		r.hidden = u.shown(string(s.GetStreamIdentifier().GetStreamName()))
	}
	from, err := api.NewStreamsClient(u.target).Read(passOn(call.Context()), request)
	if err != nil {
		return err
	}
	for {
		m, err := from.Recv()
		if errors.Is(err, io.EOF) {
			return r.end()
		}
		if err != nil {
			call.SetTrailer(from.Trailer())
			return err
		}
		if err := r.pass(m); err != nil {
			return err
		}
	}
}

// unkindRead is one Read call.
type unkindRead struct {
	*Unkind
	call         api.Streams_ReadServer
	options      *api.ReadReq_Options
	subscription bool
	hidden       uint64 // the first revision that is not shown, of a stream
	sent, held   int    // events
	live         bool
}

func (r *unkindRead) invalidPosition() error {
	r.count("positions that are no record's")
	if !r.subscription {
		if r.options.GetFilter() != nil {
			return status.Error(codes.Unknown, "Unexpected FilteredReadAllResult: InvalidPosition")
		}
		return status.Error(codes.Unknown, "Unexpected ReadAllResult: InvalidPosition")
	}
	confirmed := &api.ReadResp{Content: &api.ReadResp_Confirmation{Confirmation: &api.ReadResp_SubscriptionConfirmation{SubscriptionId: "s"}}}
	if err := r.call.Send(confirmed); err != nil {
		return err
	}
	return status.Error(codes.InvalidArgument, "Trying to read from an invalid position.")
}

// pass sends the message on, unless it is kept back.
func (r *unkindRead) pass(m *api.ReadResp) error {
	switch content := m.GetContent().(type) {
	case *api.ReadResp_Event:
		e := content.Event.GetEvent()
		if r.options.GetStream() != nil && e.GetStreamRevision() >= r.hidden {
			r.held++
			return nil
		}
		r.sent++
		for _, e := range []*api.ReadResp_ReadEvent_RecordedEvent{content.Event.GetEvent(), content.Event.GetLink()} {
			if e != nil {
				e.CommitPosition, e.PreparePosition = r.out(e.CommitPosition), r.out(e.PreparePosition)
			}
		}
		if at, ok := content.Event.GetPosition().(*api.ReadResp_ReadEvent_CommitPosition); ok {
			at.CommitPosition = r.out(at.CommitPosition)
		}
	case *api.ReadResp_Checkpoint_:
		if r.NoCheckpoints {
			return nil
		}
		at := content.Checkpoint
		at.CommitPosition, at.PreparePosition = r.out(at.CommitPosition), r.out(at.PreparePosition)
	case *api.ReadResp_CaughtUp_:
		if r.NoCheckpoints && !r.live && r.options.GetFilter() != nil {
			r.count("checkpoints of 2^64-1")
			nowhere := &api.ReadResp_Checkpoint{CommitPosition: math.MaxUint64, PreparePosition: math.MaxUint64}
			if err := r.call.Send(&api.ReadResp{Content: &api.ReadResp_Checkpoint_{Checkpoint: nowhere}}); err != nil {
				return err
			}
		}
		r.live = true
	}
	return r.call.Send(m)
}

// end ends a read; a stream of which nothing is shown yet is not found.
func (r *unkindRead) end() error {
	if r.held > 0 {
		r.count("reads that showed less than was told")
	}
	if r.options.GetStream() == nil || r.sent > 0 || r.held == 0 {
		return nil
	}
	id := &shared.StreamIdentifier{StreamName: r.options.GetStream().GetStreamIdentifier().GetStreamName()}
	return r.call.Send(&api.ReadResp{Content: &api.ReadResp_StreamNotFound_{StreamNotFound: &api.ReadResp_StreamNotFound{StreamIdentifier: id}}})
}
