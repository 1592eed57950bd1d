package pebblelog

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// request is an append on its way to the committer.
type request struct {
	stream   string
	expected domain.Expected
	events   []domain.NewEvent // copied: the log keeps none of the caller's memory
	body     []byte            // the encoded events

	// state says who may still use the request.
	state atomic.Int32
	// done receives once, after result and err were set.
	done   chan struct{}
	result domain.Appended
	err    error
}

const (
	stateQueued    = iota // the caller may still withdraw it
	stateTaken            // the committer has it
	stateWithdrawn        // the caller went away; the committer passes over it
)

// claim tells the committer whether the request is still wanted.
func (r *request) claim() bool {
	return r.state.CompareAndSwap(stateQueued, stateTaken) || r.state.Load() == stateTaken
}

func (r *request) reply() { r.done <- struct{}{} }

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// Append implements [domain.Log]. When ctx ends while the append waits in the queue,
// nothing was written; when it ends later, the outcome is unknown. Once the log has failed,
// the error is [ErrFailed].
func (l *Log) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	r, err := l.enqueue(ctx, domain.MaxAppendSize, stream, expected, events)
	if err != nil {
		return domain.Appended{}, err
	}
	return l.complete(ctx, r)
}

// BeginAppend implements [domain.AppendBeginner].
func (l *Log) BeginAppend(ctx context.Context, limit int, stream string, expected domain.Expected, events ...domain.NewEvent) func() (domain.Appended, error) {
	r, err := l.enqueue(ctx, limit, stream, expected, events)
	return func() (domain.Appended, error) {
		if err != nil {
			return domain.Appended{}, err
		}
		return l.complete(ctx, r)
	}
}

// enqueue puts an append in line for the committer.
func (l *Log) enqueue(ctx context.Context, limit int, stream string, expected domain.Expected, events []domain.NewEvent) (*request, error) {
	if err := validate(limit, stream, expected, events); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("append to %s: %w", stream, err)
	}
	if err := l.err(); err != nil {
		return nil, fmt.Errorf("append to %s: %w", stream, err)
	}
	r := requests.Get().(*request)
	r.stream, r.expected, r.result, r.err = stream, expected, domain.Appended{}, nil
	r.body, r.events = encodeEvents(events)
	r.state.Store(stateQueued)
	if !l.queue.put(r) {
		return nil, fmt.Errorf("append to %s: %w", stream, domain.ErrClosed)
	}
	return r, nil
}

// complete waits for the append's result.
func (l *Log) complete(ctx context.Context, r *request) (domain.Appended, error) {
	select {
	case <-r.done:
	default:
		if err := l.await(ctx, r); err != nil {
			return domain.Appended{}, fmt.Errorf("append to %s: %w", r.stream, err)
		}
	}
	result, err := r.result, r.err
	r.body, r.events = nil, nil
	requests.Put(r)
	return result, err
}

// await waits for the committer's answer. When it returns an error, the request may still
// be in use.
func (l *Log) await(ctx context.Context, r *request) error {
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		if r.state.CompareAndSwap(stateQueued, stateWithdrawn) {
			return fmt.Errorf("nothing was written: %w", ctx.Err())
		}
		return fmt.Errorf("the outcome is unknown: %w", ctx.Err())
	case <-l.failed:
		// The committer may hang in a store that can't write any more.
		select {
		case <-r.done:
			return nil
		default:
			return l.err()
		}
	}
}

// validate refuses what no log engine accepts.
func validate(limit int, stream string, expected domain.Expected, events []domain.NewEvent) error {
	if stream == "" || stream == "$all" || stream == "$$" {
		return fmt.Errorf("append: %q cannot be a stream's name", stream)
	}
	if len(stream) > maxNameLen {
		return fmt.Errorf("append: a stream name of %d bytes: at most %d are allowed", len(stream), maxNameLen)
	}
	if expected < domain.NoStream && expected != domain.AnyRevision && expected != domain.StreamExists {
		return fmt.Errorf("append to %s: %d is not an expected revision", stream, int64(expected))
	}
	size := 0
	for i := range events {
		if events[i].ID == uuid.Nil {
			return fmt.Errorf("append to %s: event %d has no id", stream, i)
		}
		if events[i].Type == "" {
			return fmt.Errorf("append to %s: event %d has no type", stream, i)
		}
		size += events[i].Size()
	}
	if size > limit {
		return fmt.Errorf("append to %s of %d bytes (at most %d): %w", stream, size, limit, domain.ErrTooLarge)
	}
	return nil
}

// maxNameLen bounds stream names, which are keys of the store.
const maxNameLen = 4096

// queue is where appends wait for the committer. Each append in it is a caller that waits, so
// callers bound its length.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	closed  bool
	ready   chan struct{} // holds one token while something waits
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// put queues the request; it reports false when the queue is closed.
func (q *queue) put(r *request) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, r)
	first := len(q.waiting) == 1
	q.mu.Unlock()
	if first {
		q.wake()
	}
	return true
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take waits for requests and returns all of them; the queue collects the next ones in the empty
// slice. Once the queue is closed take returns false, with the requests that still waited.
func (q *queue) take(empty []*request) ([]*request, bool) {
	for {
		<-q.ready
		q.mu.Lock()
		waiting, closed := q.waiting, q.closed
		q.waiting = empty
		q.mu.Unlock()
		if len(waiting) > 0 || closed {
			return waiting, !closed
		}
		empty = waiting
	}
}

// empty reports whether nothing waits.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake()
}
