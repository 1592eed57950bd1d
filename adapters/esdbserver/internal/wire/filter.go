package wire

import (
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"

	"github.com/atonehq/atone/domain"
)

// Limits of a filter's expressions, so that one subscription cannot slow the rest down.
const (
	maxPatternLength = 4096
	maxPrefixes      = 1024
	patternTimeout   = 250 * time.Millisecond
	// DefaultWindow is how many events are searched between checkpoints if the client does not say.
	DefaultWindow = 32
)

// EventFilter selects events by their stream's name or their type.
type EventFilter struct {
	byType   bool
	prefixes []string
	matches  func(string) bool // nil: by prefixes
}

// Expression is a filter as any of the requests carries it.
type Expression interface {
	GetRegex() string
	GetPrefix() []string
}

// NewFilter builds a filter from the request's expression.
func NewFilter(e Expression, byType bool) (*EventFilter, error) {
	f := &EventFilter{byType: byType, prefixes: e.GetPrefix()}
	if len(f.prefixes) > maxPrefixes {
		return nil, InvalidArgument("a filter may have at most %d prefixes", maxPrefixes)
	}
	var err error
	if pattern := e.GetRegex(); pattern != "" {
		f.matches, err = compile(pattern)
	}
	return f, err
}

// compile reads a pattern of the .NET dialect, unanchored. If Go's own engine can read the pattern,
// it runs the pattern in linear time; other patterns (look-around, back-references) run under a
// time limit.
func compile(pattern string) (func(string) bool, error) {
	if len(pattern) > maxPatternLength {
		return nil, InvalidArgument("a filter's pattern may have at most %d bytes", maxPatternLength)
	}
	if linear, err := regexp.Compile(pattern); err == nil {
		return linear.MatchString, nil
	}
	full, err := regexp2.Compile(pattern, regexp2.None)
	if err != nil {
		return nil, Refused("the filter's pattern cannot be read: %v", err)
	}
	full.MatchTimeout = patternTimeout
	return func(s string) bool {
		ok, err := full.MatchString(s)
		return ok && err == nil
	}, nil
}

// Accepts judges an event.
func (f *EventFilter) Accepts(e *domain.Recorded) bool {
	subject := e.Stream
	if f.byType {
		subject = e.Type
	}
	if f.matches != nil {
		return f.matches(subject)
	}
	for _, p := range f.prefixes {
		if strings.HasPrefix(subject, p) {
			return true
		}
	}
	return false
}
