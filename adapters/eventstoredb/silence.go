package eventstoredb

import (
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

var (
	_ domain.SilenceTeller  = (*Log)(nil)
	_ domain.LastPositioner = (*Log)(nil)
)

// Silence implements [domain.SilenceTeller]. Acknowledgements and refusals of appends are answers;
// "not ready" and "not the leader" are not.
func (l *Log) Silence() time.Duration { return l.silence.told() }

// silenceKept is how long the silence is still reported once the last append under way was given
// up. After that nobody knows whether it lasts.
const silenceKept = 10 * time.Second

// silence is for how long no append was answered. It is safe to use concurrently.
type silence struct {
	mu      sync.Mutex
	waiting int // appends under way
	// of the last answer, or of the first append that waits after it; zero: no silence
	since  time.Time
	gaveUp time.Time // when the last append under way was given up
}

// ask begins an append.
func (s *silence) ask() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting++; s.waiting == 1 && (s.since.IsZero() || time.Since(s.gaveUp) > silenceKept) {
		s.since = time.Now()
	}
}

// end ends an append: answered, or given up without an answer.
func (s *silence) end(answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
	switch {
	case !answered:
		s.gaveUp = time.Now()
	case s.waiting > 0:
		s.since = time.Now()
	default:
		s.since = time.Time{}
	}
}

func (s *silence) told() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() || s.waiting == 0 && time.Since(s.gaveUp) > silenceKept {
		return 0
	}
	return time.Since(s.since)
}
