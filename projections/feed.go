package projections

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

// feed has the next batch of one view ready while the view applies the one before. Where it can it
// listens to the tap that the views share; else it reads the log by itself.
type feed struct {
	source  Source
	filter  domain.Filter
	limit   int           // events in a batch
	linger  time.Duration // how long a live batch is kept open for more
	live    bool          // it feeds tables that answer queries, and so is paced
	hurried <-chan struct{}
	hub     *hub // nil where the view has a filter of its own
	pace    *pacer

	filled, taken chan struct{} // hold at most one word each
	left          chan error    // the tap let go of the feed: nil where that was too slow
	joined        bool          // a tap has fed it; guarded by hub.mu

	mu    sync.Mutex
	at    domain.Position // up to where everything was put
	next  batch
	bytes int
	err   error
}

// newFeed returns the feed of a pass over the log for the keeper's view.
func newFeed(k *keeper, live bool) *feed {
	f := &feed{source: k.cfg.Source, filter: k.view.filter(), limit: k.cfg.Batch, linger: k.cfg.Linger, live: live, hurried: k.hurried, pace: k.pace,
		filled: make(chan struct{}, 1), taken: make(chan struct{}, 1), left: make(chan error, 1)}
	if k.hub.serves(f.filter) {
		f.hub = k.hub
	}
	return f
}

// errFeedEnded stands for a subscription that ended without saying why.
var errFeedEnded = errors.New("the log's subscription ended")

// run feeds until ctx ends or reading fails.
func (f *feed) run(ctx context.Context, after domain.Position) {
	f.at = after
	var err error
	for err == nil {
		if f.hub != nil && f.hub.join(f) {
			err = f.listen(ctx)
		} else {
			err = f.read(ctx)
		}
	}
	f.mu.Lock()
	f.err = err
	f.mu.Unlock()
	tell(f.filled)
}

// listen waits while the tap feeds; nil means that the tap went on without this feed.
func (f *feed) listen(ctx context.Context) error {
	select {
	case err := <-f.left:
		return err
	case <-ctx.Done():
		f.hub.leave(f)
		f.cut() // the tap may be waiting for room
		return ctx.Err()
	}
}

// read reads the log by itself until it has come to where the tap is; then it returns nil.
func (f *feed) read(ctx context.Context) error {
	tracker := newTracker(f.source)
	for d, err := range deliveries(ctx, f.source, f.at, f.filter) {
		if err != nil {
			return err
		}
		var e Event
		if d.Event != nil {
			if e, err = tracker.read(ctx, d.Event); err != nil {
				return err
			}
		}
		if err := f.put(ctx, d, e, nil); err != nil {
			return err
		}
		if f.live {
			if err := f.pace.rest(ctx); err != nil {
				return err
			}
		}
		if f.hub != nil && f.hub.joinable(f, d.Position) {
			return nil
		}
	}
	return errFeedEnded
}

// deliveries subscribes to the source. A word of the log's progress that names no position that an event
// can have says nothing: its position is 0, which moves nobody. It has been seen of a server that found no event.
func deliveries(ctx context.Context, source Source, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		for d, err := range source.Subscribe(ctx, after, filter) {
			if err == nil && !d.Position.Possible() {
				if d.Position = 0; d.Event != nil {
					err = fmt.Errorf("event %s of %s has position %d: %w", d.Event.ID, d.Event.Stream, d.Event.Position, domain.ErrBadPosition)
				}
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// errSlow means that a view was still busy with what it had.
var errSlow = errors.New("the view is slow")

// put adds a delivery to the batch, waiting while that is full until patience, where it isn't nil, ends.
func (f *feed) put(ctx context.Context, d domain.Delivery, e Event, patience <-chan time.Time) error {
	f.mu.Lock()
	for f.full() {
		f.mu.Unlock()
		select {
		case <-f.taken:
		case <-patience:
			return errSlow
		case <-ctx.Done():
			return ctx.Err()
		}
		f.mu.Lock()
	}
	if d.Position > f.at {
		f.at, f.next.to = d.Position, d.Position
		if d.Event != nil {
			f.next.events = append(f.next.events, e)
			f.bytes += len(d.Event.Data) + len(d.Event.Metadata)
		}
	}
	f.next.caughtUp = f.next.caughtUp || d.CaughtUp
	wake := len(f.next.events) == 1 || f.full() || d.CaughtUp
	f.mu.Unlock()
	if wake {
		tell(f.filled)
	}
	return nil
}

// position is up to where everything was put.
func (f *feed) position() domain.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// busy reports whether nothing more can be put at the moment.
func (f *feed) busy() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.full()
}

// reached tells the view that it has come to the end of the log.
func (f *feed) reached() {
	f.mu.Lock()
	f.next.caughtUp = true
	f.mu.Unlock()
	tell(f.filled)
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
