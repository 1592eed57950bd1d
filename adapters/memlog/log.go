package memlog

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

const (
	// firstPosition is the position of a log's first event.
	firstPosition domain.Position = 96
	// recordHeader is the size of an event besides its stream's name and its content.
	recordHeader = 57
)

// Config sets up a [Log]. The zero value is ready for use.
type Config struct {
	// Now is the clock behind [domain.Recorded.Created]; time.Now when nil.
	Now func() time.Time
}

// Log is an in-memory [domain.Log]. Make one with [New] or [NewWithConfig]. All methods
// are safe to call concurrently. It starts no goroutines.
type Log struct {
	now func() time.Time

	mu      sync.RWMutex
	all     []domain.Recorded  // in the order of their positions; only ever appended to
	end     domain.Position    // where the next event goes
	streams map[string]*stream // every stream that has events
	changed chan struct{}      // closed and replaced on every append, closed for good by Close
	closed  bool
}

var (
	_ domain.Log            = (*Log)(nil)
	_ domain.AppendBeginner = (*Log)(nil)
)

// stream holds where one stream's events are in [Log.all], by revision, and the newest
// revision of each id.
type stream struct {
	places    []int
	revisions map[uuid.UUID]uint64
}

// New returns an empty log that uses the system's clock.
func New() *Log { return NewWithConfig(Config{}) }

// NewWithConfig returns an empty log.
func NewWithConfig(cfg Config) *Log {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Log{now: cfg.Now, end: firstPosition, streams: make(map[string]*stream), changed: make(chan struct{})}
}

// Close ends all subscriptions and makes every later call fail with
// [domain.ErrClosed]. Closing again does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.changed)
	}
	return nil
}

// Append implements [domain.Log].
func (l *Log) Append(ctx context.Context, name string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	return l.append(ctx, domain.MaxAppendSize, name, expected, events)
}

// BeginAppend implements [domain.AppendBeginner]; the returned function never waits.
func (l *Log) BeginAppend(ctx context.Context, limit int, name string, expected domain.Expected, events ...domain.NewEvent) func() (domain.Appended, error) {
	result, err := l.append(ctx, limit, name, expected, events)
	return func() (domain.Appended, error) { return result, err }
}

func (l *Log) append(ctx context.Context, limit int, name string, expected domain.Expected, events []domain.NewEvent) (domain.Appended, error) {
	if err := validate(limit, name, expected, events); err != nil {
		return domain.Appended{}, err
	}
	if err := ctx.Err(); err != nil {
		return domain.Appended{}, fmt.Errorf("append to %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return domain.Appended{}, fmt.Errorf("append to %s: %w", name, domain.ErrClosed)
	}
	s := l.streams[name]
	verdict, last := judge(s, l.all, expected, events)
	switch {
	case verdict == conflict:
		return domain.Appended{}, &domain.ConflictError{Stream: name, Expected: expected, Actual: s.head()}
	case verdict == repeated:
		return domain.Appended{Revision: last, Position: l.all[s.places[last]].Position}, nil
	case len(events) == 0:
		return l.endOf(s), nil
	}
	if s == nil {
		s = &stream{revisions: make(map[uuid.UUID]uint64)}
		l.streams[name] = s
	}
	created := l.now().UTC()
	for _, e := range events {
		e.Data, e.Metadata = slices.Clone(e.Data), slices.Clone(e.Metadata)
		r := domain.Recorded{
			NewEvent: e, Stream: name, Created: created,
			Revision: uint64(len(s.places)), Position: l.end,
		}
		s.places = append(s.places, len(l.all))
		l.all = append(l.all, r)
		l.end += domain.Position(recordHeader + len(name) + e.Size())
		s.revisions[e.ID] = r.Revision
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return l.endOf(s), nil
}

// validate refuses what no log engine accepts.
func validate(limit int, name string, expected domain.Expected, events []domain.NewEvent) error {
	if name == "" || name == "$all" || name == "$$" {
		return fmt.Errorf("append: %q cannot be a stream's name", name)
	}
	if expected < domain.NoStream && expected != domain.AnyRevision && expected != domain.StreamExists {
		return fmt.Errorf("append to %s: %d is not an expected revision", name, int64(expected))
	}
	size := 0
	for i, e := range events {
		if e.ID == uuid.Nil {
			return fmt.Errorf("append to %s: event %d has no id", name, i)
		}
		if e.Type == "" {
			return fmt.Errorf("append to %s: event %d has no type", name, i)
		}
		size += e.Size()
	}
	if size > limit {
		return fmt.Errorf("append to %s of %d bytes (at most %d): %w", name, size, limit, domain.ErrTooLarge)
	}
	return nil
}

type verdict int

const (
	accepted verdict = iota
	repeated
	conflict
)

// judge applies KurrentDB's rules for expected revisions and repeats. For a repeat it also returns
// the revision of the original append's last event.
func judge(s *stream, all []domain.Recorded, expected domain.Expected, events []domain.NewEvent) (verdict, uint64) {
	head := s.head()
	switch {
	case expected == domain.StreamExists && s == nil:
		return conflict, 0
	case expected == domain.AnyRevision || expected == domain.StreamExists:
		return judgeByID(s, events)
	case expected == head:
		return accepted, 0
	case expected > head || len(events) == 0:
		return conflict, 0
	}
	first := int(expected + 1)
	if first+len(events) > len(s.places) {
		return conflict, 0
	}
	for i, e := range events {
		if all[s.places[first+i]].ID != e.ID {
			return conflict, 0
		}
	}
	return repeated, uint64(first + len(events) - 1)
}

// judgeByID judges an append without an exact revision: it is new if its first id is new to the
// stream, a repeat if all ids are known, and otherwise a conflict.
func judgeByID(s *stream, events []domain.NewEvent) (verdict, uint64) {
	if s == nil {
		return accepted, 0
	}
	var last uint64
	for i, e := range events {
		revision, known := s.revisions[e.ID]
		switch {
		case !known && i == 0:
			return accepted, 0
		case !known:
			return conflict, 0
		}
		last = revision
	}
	if len(events) == 0 {
		return accepted, 0
	}
	return repeated, last
}

// head is the stream's last revision, or NoStream.
func (s *stream) head() domain.Expected {
	if s == nil {
		return domain.NoStream
	}
	return domain.Expected(len(s.places)) - 1
}

// endOf is where the stream's last event stands; zero for no stream.
func (l *Log) endOf(s *stream) domain.Appended {
	if s == nil {
		return domain.Appended{}
	}
	last := len(s.places) - 1
	return domain.Appended{Revision: uint64(last), Position: l.all[s.places[last]].Position}
}

// view returns the events so far, the channel that is closed when there are more, and
// ErrClosed after Close.
func (l *Log) view() ([]domain.Recorded, <-chan struct{}, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return nil, nil, domain.ErrClosed
	}
	return l.all, l.changed, nil
}

// streamView returns the places of the stream's events so far, with all events.
func (l *Log) streamView(name string) ([]int, []domain.Recorded, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return nil, nil, domain.ErrClosed
	}
	if s := l.streams[name]; s != nil {
		return s.places, l.all, nil
	}
	return nil, nil, nil
}

// readable is the error that stops a read: the context's end, or else the log's.
func readable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
