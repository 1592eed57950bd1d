package follow

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/internal/signal"
)

const (
	// maxBatchBytes bounds the payload that a batch holds in memory.
	maxBatchBytes = 8 << 20
	// lingerMore is how many times as long a batch is kept open in which there is nothing that the
	// view wants: it only saves the position.
	lingerMore = 20
	// seenForOne is how many events that a view does not want fill a batch as much as one that it
	// wants.
	seenForOne = 64
)

// Batch is what a view applies in one transaction.
type Batch struct {
	Events []projections.Event
	// Seen is how many events there were, with those that the view did not want; At is when the log
	// accepted the last of them.
	Seen int
	At   time.Time
	// To is the view's position afterwards.
	To domain.Position
	// CaughtUp means that the log had no more events when the batch was cut.
	CaughtUp bool
}

// buffer gathers the next batch. One goroutine puts, another takes.
type buffer struct {
	limit   int
	linger  time.Duration
	hurried <-chan struct{}

	filled, taken chan struct{} // hold at most one signal each

	mu    sync.Mutex
	at    domain.Position // everything up to here was put
	next  Batch
	bytes int
	err   error
}

func newBuffer(c Config) *buffer {
	return &buffer{limit: c.Batch, linger: c.Linger, hurried: c.Hurried, filled: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
}

// errSlow means that a view was still busy with the previous batch.
var errSlow = errors.New("the view is slow")

// put adds an event to the batch. It waits while the batch is full. If patience is not nil and
// gives a signal, put stops waiting and returns errSlow.
func (b *buffer) put(ctx context.Context, e delivered, patience <-chan time.Time) error {
	b.mu.Lock()
	for b.full() {
		b.mu.Unlock()
		select {
		case <-b.taken:
		case <-patience:
			return errSlow
		case <-ctx.Done():
			return ctx.Err()
		}
		b.mu.Lock()
	}
	if e.Position > b.at {
		b.at, b.next.To = e.Position, e.Position
		if e.Delivery.Event != nil {
			b.next.Seen++
			b.next.At = e.Delivery.Event.Created
		}
		if e.Delivery.Event != nil && !e.out {
			b.next.Events = append(b.next.Events, e.event)
			b.bytes += len(e.Delivery.Event.Data) + len(e.Delivery.Event.Metadata)
		}
	}
	b.next.CaughtUp = b.next.CaughtUp || e.CaughtUp
	wake := b.next.Seen == 1 || len(b.next.Events) == 1 || b.full() || e.CaughtUp
	b.mu.Unlock()
	if wake {
		signal.Tell(b.filled)
	}
	return nil
}

// position is the position up to which everything was put.
func (b *buffer) position() domain.Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

// busy reports whether put would wait now.
func (b *buffer) busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full()
}

// reached tells the view that it has come to the end of the log.
func (b *buffer) reached() {
	b.mu.Lock()
	b.next.CaughtUp = true
	b.mu.Unlock()
	signal.Tell(b.filled)
}

// fail makes Take return the error after the events are taken.
func (b *buffer) fail(err error) {
	b.mu.Lock()
	b.err = err
	b.mu.Unlock()
	signal.Tell(b.filled)
}

// full is called with the lock held.
func (b *buffer) full() bool {
	return len(b.next.Events) >= b.limit || b.next.Seen >= seenForOne*b.limit || b.bytes >= maxBatchBytes
}

// Take returns the next batch. While catching up it waits for a full batch; live, it waits for the
// first event and then for Config.Linger. When following has ended, it returns the error.
func (b *buffer) Take(ctx context.Context, live bool) (Batch, error) {
	var linger <-chan time.Time
	lingers := false // for something that the view wants
	for {
		b.mu.Lock()
		some, wanted := b.next.Seen > 0, len(b.next.Events) > 0
		ready := b.full() || b.next.CaughtUp || some && live && b.linger <= 0
		err := b.err
		b.mu.Unlock()
		if ready || err != nil && some {
			return b.cut(), nil
		}
		if err != nil {
			return Batch{}, err
		}
		if some && live && (linger == nil || wanted && !lingers) {
			least := b.linger
			if lingers = wanted; !wanted {
				least *= lingerMore
			}
			timer := time.NewTimer(least)
			defer timer.Stop()
			linger = timer.C
		}
		select {
		case <-b.filled:
		case <-linger:
			return b.cut(), nil
		case <-b.hurried:
			if some && live {
				return b.cut(), nil
			}
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		}
	}
}

// cut takes the events that are there.
func (b *buffer) cut() Batch {
	b.mu.Lock()
	batch := b.next
	b.next, b.bytes = Batch{To: batch.To, Events: make([]projections.Event, 0, min(cap(batch.Events), b.limit))}, 0
	b.mu.Unlock()
	signal.Tell(b.taken)
	return batch
}
