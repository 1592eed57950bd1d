package eventstoredb

import (
	"bytes"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// operation is what makes the adapter make a recorded call.
type operation struct {
	// run returns what was yielded, as events and positions, and how it ended.
	run func(ctx context.Context, log *Log, each func(domain.Delivery) bool) error
	// subscription ends only with ctx.
	subscription bool
	// after is where the call begins: nothing before it may be delivered.
	after     domain.Position
	exclusive bool // the event at after is not delivered
	// end asks for the log's last position.
	end bool
	// appends are the appends of a batch call, one after the other.
	appends []*batch
}

// plan finds the operation, or says why the adapter never makes such a call.
func plan(t *testing.T, c recordedCall) (*operation, string) {
	t.Helper()
	switch h := c.Headers["requires-leader"]; h {
	case "", "true", "false":
	default:
		return nil, "it sends requires-leader true, or nothing"
	}
	switch c.Call {
	case "Streams.Read":
		return planRead(t, c)
	case "Streams.Append":
		return planAppend(t, c)
	case "Streams.BatchAppend":
		return planBatches(t, c)
	case "Streams.Delete", "Streams.Tombstone":
		return nil, "the log deletes no streams"
	}
	return nil, "it is no call of the log"
}

func planRead(t *testing.T, c recordedCall) (*operation, string) {
	if len(c.requests()) != 1 {
		return nil, "a read has one request"
	}
	o := fromWire(t, c.requests()[0], &api.ReadReq{}).GetOptions()
	switch {
	case o == nil:
		return nil, "it always sends options"
	case o.GetControlOption().GetCompatibility() > 0:
		return nil, "it asks for no newer compatibility"
	case o.GetResolveLinks():
		return nil, "it resolves no links"
	case o.GetUuidOption() == nil:
		return nil, "it always sends the form of ids"
	case o.GetReadDirection() != api.ReadReq_Options_Forwards && o.GetReadDirection() != api.ReadReq_Options_Backwards:
		return nil, "it knows two directions"
	case o.GetSubscription() == nil && o.GetCount() == 0:
		return nil, "it always reads with a count"
	}
	if s := o.GetStream(); s != nil {
		return planReadStream(o, s)
	}
	op, why := planReadAll(o)
	if op != nil && op.end && c.Headers["requires-leader"] != "true" {
		return nil, "it asks the leader for the end"
	}
	return op, why
}

func planReadStream(o *api.ReadReq_Options, s *api.ReadReq_Options_StreamOptions) (*operation, string) {
	backward := o.GetReadDirection() == api.ReadReq_Options_Backwards
	stream, from := string(s.GetStreamIdentifier().GetStreamName()), uint64(0)
	switch at := s.GetRevisionOption().(type) {
	case nil:
		return nil, "it always says from where"
	case *api.ReadReq_Options_StreamOptions_Start:
		if backward {
			return nil, "backward from the start is backward from revision 0"
		}
	case *api.ReadReq_Options_StreamOptions_End:
		from = domain.End
	case *api.ReadReq_Options_StreamOptions_Revision:
		if from = at.Revision; from > math.MaxInt64 {
			return nil, "it knows no revision of 2^63 and more"
		}
	}
	switch {
	case o.GetSubscription() != nil:
		return nil, "it subscribes to $all only"
	case o.GetNoFilter() == nil:
		return nil, "it reads streams without a filter"
	case s.GetStreamIdentifier() == nil:
		return nil, "it always names the stream"
	case from == domain.End && !backward:
		return nil, "it reads nothing forward from the end"
	}
	return &operation{run: func(ctx context.Context, log *Log, each func(domain.Delivery) bool) error {
		read := log.ReadStream(ctx, stream, from)
		if backward {
			read = log.ReadStreamBackward(ctx, stream, from)
		}
		return drain(read, each)
	}}, ""
}

// drain hands each event on until each returns false, and returns the error that ended the read.
func drain(read func(func(domain.Recorded, error) bool), each func(domain.Delivery) bool) error {
	for e, err := range read {
		if err != nil {
			return err
		}
		if !each(domain.Delivery{Event: &e, Position: e.Position}) {
			return nil
		}
	}
	return nil
}

func planReadAll(o *api.ReadReq_Options) (*operation, string) {
	backward, end := o.GetReadDirection() == api.ReadReq_Options_Backwards, o.GetAll().GetEnd() != nil
	if o.GetNoFilter() != nil && backward && end && o.GetCount() == 1 {
		return &operation{end: true, run: func(ctx context.Context, log *Log, each func(domain.Delivery) bool) error {
			at, err := log.LastPosition(ctx)
			if err == nil {
				each(domain.Delivery{Position: at})
			}
			return err
		}}, ""
	}
	at := domain.Position(0)
	switch p := o.GetAll().GetAllOption().(type) {
	case nil:
		return nil, "it always says from where"
	case *api.ReadReq_Options_AllOptions_End:
		at = domain.EndPosition
	case *api.ReadReq_Options_AllOptions_Position:
		at = domain.Position(p.Position.GetCommitPosition())
		switch {
		case at == 0:
			return nil, "position 0 is the start"
		case at > wire.MaxPosition:
			return nil, "it knows no position of 2^63 and more"
		case p.Position.GetPreparePosition() != p.Position.GetCommitPosition():
			return nil, "its positions have one half"
		}
	}
	f := o.GetFilter()
	switch prefixes := f.GetStreamIdentifier().GetPrefix(); {
	case f == nil:
		return nil, "it reads $all with a filter"
	case len(prefixes) == 0, slices.Contains(prefixes, ""):
		return nil, "it filters by stream prefixes that are not empty"
	case f.GetMax() == 0, f.GetMax() > 1<<16, o.GetSubscription() != nil && f.GetCheckpointIntervalMultiplier() == 0,
		f.GetCheckpointIntervalMultiplier() > 1<<16:
		return nil, "its window and interval are usual ones"
	case o.GetSubscription() != nil && backward:
		return nil, "it subscribes forward"
	case o.GetSubscription() != nil && end:
		return nil, "it subscribes after the last event instead of from the end"
	case end && !backward:
		return nil, "it reads nothing forward from the end"
	case at == 0 && backward:
		return nil, "it reads nothing backward from the start"
	}
	filter := domain.Filter{Prefixes: f.GetStreamIdentifier().GetPrefix()}
	op := &operation{subscription: o.GetSubscription() != nil, after: at, exclusive: !backward}
	op.run = func(ctx context.Context, log *Log, each func(domain.Delivery) bool) error {
		switch {
		case op.subscription:
			for d, err := range log.Subscribe(ctx, at, filter) {
				if err != nil {
					return err
				}
				if !each(d) {
					return nil
				}
			}
			return nil
		case backward:
			return drain(log.ReadAllBackward(ctx, at, filter), each)
		}
		return drain(log.ReadAll(ctx, at, filter), each)
	}
	return op, ""
}

func planAppend(t *testing.T, c recordedCall) (*operation, string) {
	b := &batch{expected: -3}
	for i, raw := range c.requests() {
		m := fromWire(t, raw, &api.AppendReq{})
		if o := m.GetOptions(); (o != nil) != (i == 0) {
			return nil, "it sends options once, and first"
		} else if o != nil {
			b.stream = string(o.GetStreamIdentifier().GetStreamName())
			switch r := o.GetExpectedStreamRevision().(type) {
			case *api.AppendReq_Options_Revision:
				b.expected = domain.Expected(r.Revision)
			case *api.AppendReq_Options_Any:
				b.expected = domain.AnyRevision
			case *api.AppendReq_Options_NoStream:
				b.expected = domain.NoStream
			case *api.AppendReq_Options_StreamExists:
				b.expected = domain.StreamExists
			}
			continue
		}
		p := m.GetProposedMessage()
		if why := b.add(p.GetId(), p.GetMetadata(), p.GetData(), p.GetCustomMetadata()); why != "" {
			return nil, why
		}
	}
	return appends(b)
}

// add takes a recorded event; it says why the adapter would not send it.
func (b *batch) add(id *shared.UUID, metadata map[string]string, data, custom []byte) string {
	switch content := metadata[wire.MetaContentType]; {
	case content != wire.ContentJSON && content != wire.ContentBinary:
		return "it sends one of two content types"
	case len(metadata) != 2:
		return "it sends a type and a content type"
	}
	e := domain.NewEvent{ID: wire.ReadID(id), Type: metadata[wire.MetaType], Data: data, Metadata: custom, Binary: metadata[wire.MetaContentType] != wire.ContentJSON}
	if e.ID == uuid.Nil {
		return "it refuses events without an id"
	}
	b.events = append(b.events, e)
	return ""
}

func appends(all ...*batch) (*operation, string) {
	for _, b := range all {
		if b.check() != nil {
			return nil, "it refuses to send it: " + b.check().Error()
		}
	}
	return &operation{appends: all, run: func(ctx context.Context, log *Log, each func(domain.Delivery) bool) error {
		for _, b := range all {
			at, err := log.Append(ctx, b.stream, b.expected, b.events...)
			if err != nil {
				return err
			}
			each(domain.Delivery{Position: at.Position, Event: &domain.Recorded{Revision: at.Revision}})
		}
		return nil
	}}, ""
}

func planBatches(t *testing.T, c recordedCall) (*operation, string) {
	var all []*batch
	for _, raw := range c.requests() {
		if bytes.Contains(raw, []byte(`"deadline`)) {
			return nil, "it sends no deadline with a batch"
		}
		m := fromWire(t, raw, &api.BatchAppendReq{})
		o := m.GetOptions()
		switch {
		case o == nil || !m.GetIsFinal():
			return nil, "it sends a batch whole"
		case wire.ReadID(m.GetCorrelationId()) == uuid.Nil:
			return nil, "its batches have ids of their own"
		}
		b := &batch{stream: string(o.GetStreamIdentifier().GetStreamName()), expected: -3}
		switch r := o.GetExpectedStreamPosition().(type) {
		case *api.BatchAppendReq_Options_StreamPosition:
			b.expected = domain.Expected(r.StreamPosition)
		case *api.BatchAppendReq_Options_Any:
			b.expected = domain.AnyRevision
		case *api.BatchAppendReq_Options_NoStream:
			b.expected = domain.NoStream
		case *api.BatchAppendReq_Options_StreamExists:
			b.expected = domain.StreamExists
		}
		for _, p := range m.GetProposedMessages() {
			if why := b.add(p.GetId(), p.GetMetadata(), p.GetData(), p.GetCustomMetadata()); why != "" {
				return nil, why
			}
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return nil, "it opens no call without a batch"
	}
	return appends(all...)
}
