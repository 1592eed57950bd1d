package wire

import (
	"math"
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/domain"
)

// Accepts applies the filter once more, leaving out tombstones and, unless a prefix asks
// for them, system streams: they are the server's events, not the log's.
func Accepts(filter domain.Filter, e domain.Recorded) bool {
	if Tombstone(e) || !filter.Accepts(e.Stream) {
		return false
	}
	return wantsSystem(filter) || e.Stream == "" || e.Stream[0] != '$'
}

// Tombstone reports whether the event ends a stream for ever. An app's event may have its type.
func Tombstone(e domain.Recorded) bool {
	return e.Type == typeTombstone && e.Revision == math.MaxInt64
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

// StreamRequest asks for events of one stream.
func StreamRequest(stream string, from uint64, direction api.ReadReq_Options_ReadDirection, count uint64) *api.ReadReq {
	options := &api.ReadReq_Options_StreamOptions{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}}
	if from > math.MaxInt64 {
		options.RevisionOption = &api.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
	} else {
		options.RevisionOption = &api.ReadReq_Options_StreamOptions_Revision{Revision: from}
	}
	return Request(&api.ReadReq_Options{
		StreamOption:  &api.ReadReq_Options_Stream{Stream: options},
		ReadDirection: direction,
		CountOption:   &api.ReadReq_Options_Count{Count: count},
		FilterOption:  &api.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
	})
}

// AllRequest asks for the selected events of all streams from the position on.
func AllRequest(at domain.Position, direction api.ReadReq_Options_ReadDirection, filter domain.Filter) *api.ReadReq {
	return Request(&api.ReadReq_Options{
		StreamOption:  &api.ReadReq_Options_All{All: AllOptions(at)},
		ReadDirection: direction,
		CountOption:   &api.ReadReq_Options_Count{Count: math.MaxInt64},
		FilterOption:  &api.ReadReq_Options_Filter{Filter: FilterOptions(filter)},
	})
}

// Request completes the options with what all requests share.
func Request(options *api.ReadReq_Options) *api.ReadReq {
	options.UuidOption = &api.ReadReq_Options_UUIDOption{
		Content: &api.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
	}
	return &api.ReadReq{Options: options}
}

func AllOptions(at domain.Position) *api.ReadReq_Options_AllOptions {
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
	SearchWindow    = 256
	CheckpointEvery = 4
)

func FilterOptions(filter domain.Filter) *api.ReadReq_Options_FilterOptions {
	return &api.ReadReq_Options_FilterOptions{
		Filter:                       &api.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: Expression(filter)},
		Window:                       &api.ReadReq_Options_FilterOptions_Max{Max: SearchWindow},
		CheckpointIntervalMultiplier: CheckpointEvery,
	}
}

// Expression selects on the server what accepts selects here. An empty prefix matches system
// streams too, so a selection of everything else is a regular expression.
func Expression(filter domain.Filter) *api.ReadReq_Options_FilterOptions_Expression {
	switch {
	case len(filter.Prefixes) > 0 && !slices.Contains(filter.Prefixes, ""):
		return &api.ReadReq_Options_FilterOptions_Expression{Prefix: filter.Prefixes}
	case wantsSystem(filter):
		return &api.ReadReq_Options_FilterOptions_Expression{Regex: `.*`}
	}
	return &api.ReadReq_Options_FilterOptions_Expression{Regex: `^[^\$]`}
}
