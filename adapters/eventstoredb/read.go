package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/domain"
)

// ReadStream implements [domain.Log]. A connection that breaks is replaced and the
// reading goes on where it stood, until ctx ends.
func (l *Log) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		next := from
		if next > math.MaxInt64 {
			return // revisions end there
		}
		r := reader{what: "read " + stream, yield: yield}
		r.request = func() *api.ReadReq {
			return streamRequest(stream, next, api.ReadReq_Options_Forwards, math.MaxInt64)
		}
		r.accept = func(e domain.Recorded) bool {
			next = e.Revision + 1
			return true
		}
		l.read(ctx, r)
	}
}

// ReadStreamBackward implements [domain.Log], with the same care as ReadStream.
func (l *Log) ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		next, atStart := from, false
		r := reader{what: "read " + stream + " backward", yield: yield}
		r.request = func() *api.ReadReq {
			if atStart {
				return nil
			}
			return streamRequest(stream, next, api.ReadReq_Options_Backwards, math.MaxInt64)
		}
		r.accept = func(e domain.Recorded) bool {
			next, atStart = e.Revision-1, e.Revision == 0
			return true
		}
		l.read(ctx, r)
	}
}

// ReadAll implements [domain.Log]. The filter is applied by the server.
func (l *Log) ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		last := after
		r := reader{what: "read all streams", yield: yield}
		r.request = func() *api.ReadReq {
			return allRequest(last, api.ReadReq_Options_Forwards, filter)
		}
		r.accept = func(e domain.Recorded) bool {
			// The server begins at the position itself, inclusively.
			fresh := e.Position > last
			last = max(last, e.Position)
			return fresh && accepts(filter, e)
		}
		l.read(ctx, r)
	}
}

// ReadAllBackward implements [domain.Log]. The filter is applied by the server.
func (l *Log) ReadAllBackward(ctx context.Context, before domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		next := before
		r := reader{what: "read all streams backward", yield: yield}
		r.request = func() *api.ReadReq {
			if next == 0 {
				return nil
			}
			return allRequest(next, api.ReadReq_Options_Backwards, filter)
		}
		r.accept = func(e domain.Recorded) bool {
			fresh := e.Position < next
			next = min(next, e.Position)
			return fresh && accepts(filter, e)
		}
		l.read(ctx, r)
	}
}

// reader is one reading of a stream or of all of them.
type reader struct {
	what string
	// request asks for what is still to be read; nil means that nothing is.
	request func() *api.ReadReq
	// accept notes how far the reading got and reports whether the event is to be yielded.
	accept func(domain.Recorded) bool
	yield  func(domain.Recorded, error) bool
}

// read yields until the server has no more, the consumer stops or ctx ends.
func (l *Log) read(ctx context.Context, r reader) {
	ctx, unbind := l.bind(ctx)
	defer unbind()
	stopped := false
	err := l.persist(ctx, r.what, l.reads, func(ctx context.Context, at *link, s *session) error {
		request := r.request()
		if request == nil {
			return nil
		}
		return readOnce(ctx, s, at.outgoing(ctx, false), request, func(m *api.ReadResp) bool {
			if e := m.GetEvent().GetEvent(); e != nil {
				recorded := decode(e)
				stopped = r.accept(recorded) && !r.yield(recorded, nil)
			}
			return !stopped
		})
	})
	if err != nil && !stopped {
		r.yield(domain.Recorded{}, err)
	}
}

// readOnce makes one Read call and hands each message to handle until that returns
// false, the server ends the call (nil) or the call fails. A stream that does not exist
// ends the call like an empty one.
func readOnce(ctx context.Context, s *session, outgoing context.Context, request *api.ReadReq, handle func(*api.ReadResp) bool) error {
	outgoing, cancel := context.WithCancel(outgoing)
	defer cancel() // releases the call where the consumer stops early
	call, err := api.NewStreamsClient(s.conn).Read(outgoing, request)
	if err != nil {
		return translate(err, nil)
	}
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("%w", err)
			}
			return translate(err, call.Trailer())
		}
		if !handle(m) {
			return nil
		}
	}
}

// accepts applies the filter once more, leaving out tombstones and, unless a prefix asks
// for them, system streams: they are the server's events, not the log's.
func accepts(filter domain.Filter, e domain.Recorded) bool {
	if e.Type == typeTombstone || !filter.Accepts(e.Stream) {
		return false
	}
	return wantsSystem(filter) || e.Stream == "" || e.Stream[0] != '$'
}

// wantsSystem reports whether a prefix of the filter asks for system streams.
func wantsSystem(filter domain.Filter) bool {
	for _, p := range filter.Prefixes {
		if p != "" && p[0] == '$' {
			return true
		}
	}
	return false
}

// streamRequest asks for events of one stream.
func streamRequest(stream string, from uint64, direction api.ReadReq_Options_ReadDirection, count uint64) *api.ReadReq {
	options := &api.ReadReq_Options_StreamOptions{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}}
	if from > math.MaxInt64 {
		options.RevisionOption = &api.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
	} else {
		options.RevisionOption = &api.ReadReq_Options_StreamOptions_Revision{Revision: from}
	}
	return request(&api.ReadReq_Options{
		StreamOption:  &api.ReadReq_Options_Stream{Stream: options},
		ReadDirection: direction,
		CountOption:   &api.ReadReq_Options_Count{Count: count},
		FilterOption:  &api.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	})
}

// allRequest asks for the selected events of all streams from the position on.
func allRequest(at domain.Position, direction api.ReadReq_Options_ReadDirection, filter domain.Filter) *api.ReadReq {
	return request(&api.ReadReq_Options{
		StreamOption:  &api.ReadReq_Options_All{All: allOptions(at)},
		ReadDirection: direction,
		CountOption:   &api.ReadReq_Options_Count{Count: math.MaxInt64},
		FilterOption:  &api.ReadReq_Options_Filter{Filter: filterOptions(filter)},
	})
}

// request completes the options with what all requests share.
func request(options *api.ReadReq_Options) *api.ReadReq {
	options.UuidOption = &api.ReadReq_Options_UUIDOption{
		Content: &api.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
	}
	return &api.ReadReq{Options: options}
}

func allOptions(at domain.Position) *api.ReadReq_Options_AllOptions {
	switch at {
	case 0:
		return &api.ReadReq_Options_AllOptions{AllOption: &api.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}
	case domain.EndPosition:
		return &api.ReadReq_Options_AllOptions{AllOption: &api.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}}
	}
	return &api.ReadReq_Options_AllOptions{AllOption: &api.ReadReq_Options_AllOptions_Position{
		Position: &api.ReadReq_Options_Position{CommitPosition: uint64(at), PreparePosition: uint64(at)},
	}}
}

// A server considers searchWindow events at a time and tells a filtered subscriber how
// far it got after every checkpointEvery of such windows: each 1,024 events.
const (
	searchWindow    = 256
	checkpointEvery = 4
)

func filterOptions(filter domain.Filter) *api.ReadReq_Options_FilterOptions {
	return &api.ReadReq_Options_FilterOptions{
		Filter:                       &api.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: expression(filter)},
		Window:                       &api.ReadReq_Options_FilterOptions_Max{Max: searchWindow},
		CheckpointIntervalMultiplier: checkpointEvery,
	}
}

// expression selects on the server what accepts selects here. A server refuses an
// empty prefix, so one that selects everything becomes a regular expression.
func expression(filter domain.Filter) *api.ReadReq_Options_FilterOptions_Expression {
	switch {
	case len(filter.Prefixes) > 0 && !slices.Contains(filter.Prefixes, ""):
		return &api.ReadReq_Options_FilterOptions_Expression{Prefix: filter.Prefixes}
	case wantsSystem(filter):
		return &api.ReadReq_Options_FilterOptions_Expression{Regex: `.*`}
	}
	return &api.ReadReq_Options_FilterOptions_Expression{Regex: `^[^\$]`}
}
