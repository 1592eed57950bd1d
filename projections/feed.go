package projections

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// maxBatchBytes bounds the payload that a batch holds in memory.
const maxBatchBytes = 8 << 20

// batch is what a view applies in one transaction.
type batch struct {
	events   []Event
	to       domain.Position
	caughtUp bool // nothing more was stored in the log when the batch was cut
}

// feed reads the log ahead of one view: it decodes the next batch while the view applies
// the one before, and stops reading while one is full.
type feed struct {
	source  Source
	filter  domain.Filter
	limit   int           // events in a batch
	linger  time.Duration // how long a live batch is kept open for more
	hurried <-chan struct{}

	filled, taken chan struct{} // hold at most one word each

	mu    sync.Mutex
	next  batch
	bytes int
	err   error
}

func newFeed(source Source, filter domain.Filter, limit int, linger time.Duration, hurried <-chan struct{}) *feed {
	return &feed{source: source, filter: filter, limit: limit, linger: linger, hurried: hurried,
		filled: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
}

// errFeedEnded stands for a subscription that ended without saying why.
var errFeedEnded = errors.New("the log's subscription ended")

// run reads the log until ctx ends or reading fails.
func (f *feed) run(ctx context.Context, after domain.Position) {
	tracker := newTracker(f.source)
	err := errFeedEnded
	for d, derr := range f.source.Subscribe(ctx, after, f.filter) {
		if err = derr; err != nil {
			break
		}
		var e Event
		if d.Event != nil {
			if e, err = tracker.read(ctx, d.Event); err != nil {
				break
			}
		}
		if err = f.put(ctx, d, e); err != nil {
			break
		}
		err = errFeedEnded
	}
	f.mu.Lock()
	f.err = err
	f.mu.Unlock()
	tell(f.filled)
}

// put adds a delivery to the batch, waiting while that is full.
func (f *feed) put(ctx context.Context, d domain.Delivery, e Event) error {
	f.mu.Lock()
	for f.full() {
		f.mu.Unlock()
		select {
		case <-f.taken:
		case <-ctx.Done():
			return ctx.Err()
		}
		f.mu.Lock()
	}
	if d.Event != nil {
		f.next.events = append(f.next.events, e)
		f.bytes += len(d.Event.Data) + len(d.Event.Metadata)
	}
	f.next.to = d.Position
	f.next.caughtUp = f.next.caughtUp || d.CaughtUp
	wake := len(f.next.events) == 1 || f.full() || d.CaughtUp
	f.mu.Unlock()
	if wake {
		tell(f.filled)
	}
	return nil
}

func (f *feed) full() bool { return len(f.next.events) >= f.limit || f.bytes >= maxBatchBytes }

// take returns the next batch. While catching up it waits for a full one; live, for the
// first event and then for as long as the feed lingers.
func (f *feed) take(ctx context.Context, live bool) (batch, error) {
	var linger <-chan time.Time
	for {
		f.mu.Lock()
		some := len(f.next.events) > 0
		ready := f.full() || f.next.caughtUp || some && live && f.linger <= 0
		err := f.err
		f.mu.Unlock()
		if ready || err != nil && some {
			return f.cut(), nil
		}
		if err != nil {
			return batch{}, err
		}
		if some && live && linger == nil {
			timer := time.NewTimer(f.linger)
			defer timer.Stop()
			linger = timer.C
		}
		select {
		case <-f.filled:
		case <-linger:
			return f.cut(), nil
		case <-f.hurried:
			if some && live {
				return f.cut(), nil
			}
		case <-ctx.Done():
			return batch{}, ctx.Err()
		}
	}
}

// cut takes what there is.
func (f *feed) cut() batch {
	f.mu.Lock()
	b := f.next
	f.next, f.bytes = batch{to: b.to, events: make([]Event, 0, min(cap(b.events), f.limit))}, 0
	f.mu.Unlock()
	tell(f.taken)
	return b
}

// tell puts a word into a channel that holds one, unless there is one already.
func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
