package groups

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// All is the name by which groups over all streams are known.
const All = "$all"

// The strategies by which a group's messages are given to its consumers.
const (
	RoundRobin          = "RoundRobin"
	DispatchToSingle    = "DispatchToSingle"
	Pinned              = "Pinned"
	PinnedByCorrelation = "PinnedByCorrelation"
)

// FromEnd, as Settings.StartFrom, begins after the last event that existed when the group
// was created.
const FromEnd int64 = -1

// FilterSpec describes a filter as it is stored.
type FilterSpec struct {
	// ByType selects by event type instead of stream name.
	ByType   bool     `json:"byType"`
	Regex    string   `json:"regex,omitempty"`
	Prefixes []string `json:"prefixes,omitempty"`
	// Interval is how many events lie between two checkpoints of the filter.
	Interval int `json:"interval"`
}

// Settings describe a group, in the names and units of the original's configuration stream.
type Settings struct {
	Stream string      `json:"stream"`
	Group  string      `json:"group"`
	Filter *FilterSpec `json:"filter,omitempty"`
	// StartFrom is the first event's number, or for All its position; FromEnd for the end.
	StartFrom int64 `json:"startFrom"`
	// StartAfter is the place that StartFrom meant when the group was created.
	StartAfter         int64  `json:"startAfter"`
	ResolveLinks       bool   `json:"resolveLinkTos"`
	ExtraStatistics    bool   `json:"extraStatistics"`
	MessageTimeout     int32  `json:"messageTimeout"` // milliseconds; 0 means no limit
	MaxRetryCount      int32  `json:"maxRetryCount"`
	LiveBufferSize     int32  `json:"liveBufferSize"`
	HistoryBufferSize  int32  `json:"historyBufferSize"`
	ReadBatchSize      int32  `json:"readBatchSize"`
	CheckPointAfter    int32  `json:"checkPointAfter"` // milliseconds; 0 means no limit
	MinCheckPointCount int32  `json:"minCheckPointCount"`
	MaxCheckPointCount int32  `json:"maxCheckPointCount"`
	MaxSubscriberCount int32  `json:"maxSubscriberCount"` // 0 means no limit
	ConsumerStrategy   string `json:"namedConsumerStrategy"`
}

// batchOverBuffer is the original's error for a read batch that does not fit into the buffer.
const batchOverBuffer = "Specified argument was out of the range of valid values. (Parameter 'ReadBatchSize may not be greater than or equal to BufferSize')"

// maxBuffer bounds the number of events that a group holds ready, whatever its settings.
const maxBuffer = 100_000

// Key is what the group is called in the names of its streams.
func (s Settings) Key() string { return key(s.Stream, s.Group) }

func key(stream, group string) string { return stream + "::" + group }

// Strategy is the name of the group's strategy.
func (s Settings) Strategy() string { return s.ConsumerStrategy }

// Validate reports what is wrong with the settings.
func (s Settings) Validate() error {
	var errs []error
	if s.Group == "" {
		errs = append(errs, errors.New("the group's name must not be empty"))
	}
	if len(checkpointStream(s.Key())) > streamdb.MaxNameLength {
		errs = append(errs, fmt.Errorf("the names of the stream and the group are too long: the group's own streams are named after them, in at most %d bytes", streamdb.MaxNameLength))
	}
	if !slices.Contains([]string{RoundRobin, DispatchToSingle, Pinned, PinnedByCorrelation}, s.Strategy()) {
		//lint:ignore ST1005 the words of a real server, which clients may compare
		errs = append(errs, fmt.Errorf("Consumer strategy %s does not exist.", s.Strategy())) //nolint:revive // see above
	}
	if s.ReadBatchSize < 0 || s.ReadBatchSize >= s.HistoryBufferSize {
		//lint:ignore ST1005 the words of a real server, which clients may compare
		errs = append(errs, errors.New(batchOverBuffer))
	}
	if s.HistoryBufferSize > maxBuffer {
		errs = append(errs, fmt.Errorf("the history buffer may have at most %d events", maxBuffer))
	}
	if s.LiveBufferSize < 0 || s.MessageTimeout < 0 || s.CheckPointAfter < 0 || s.MaxSubscriberCount < 0 ||
		s.MinCheckPointCount < 0 || s.MaxCheckPointCount < 0 {
		errs = append(errs, errors.New("sizes, counts and times must not be negative"))
	}
	if s.StartFrom < FromEnd {
		errs = append(errs, fmt.Errorf("%d is not a place to start from", s.StartFrom))
	}
	return errors.Join(errs...)
}

func (s Settings) timeout() time.Duration { return time.Duration(s.MessageTimeout) * time.Millisecond }

// place renders a place in the source as the original does: the event's number, or both
// positions for all streams.
func (s Settings) place(at int64) string {
	if s.Stream == All {
		return fmt.Sprintf("C:%d/P:%d", at, at)
	}
	return strconv.FormatInt(at, 10)
}

// parsePlace reads what place has written.
func (s Settings) parsePlace(text string) (int64, error) {
	var at, prepare int64
	var err error
	if s.Stream == All {
		_, err = fmt.Sscanf(text, "C:%d/P:%d", &at, &prepare)
	} else {
		at, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		return 0, fmt.Errorf("checkpoint %q of group %s cannot be read: %w", text, s.Key(), err)
	}
	return at, nil
}

// placeOf returns the event's place in the source of the group.
func (s Settings) placeOf(e *domain.Recorded) int64 {
	if s.Stream == All {
		return int64(e.Position)
	}
	return int64(e.Revision)
}

func checkpointStream(key string) string { return "$persistentsubscription-" + key + "-checkpoint" }

func parkedStream(key string) string { return "$persistentsubscription-" + key + "-parked" }
