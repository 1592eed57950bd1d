package projections

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
)

const (
	// gatherFor is how long a tap waits for all views before it begins to read.
	gatherFor = 100 * time.Millisecond
	// patience is for how long a view that is busy with a full batch holds up the others; then they go
	// on without it, and it reads the log by itself until it has caught up with them.
	patience = time.Second
)

// hub lets the views that begin at one place of the log, or have come to it, read and decode it once for all of them.
type hub struct {
	source Source
	filter domain.Filter
	pace   *pacer
	views  int // that may join
	taps   sync.WaitGroup

	mu  sync.Mutex
	tap *tap // nil while nobody listens
}

// tap is one pass over the log for the feeds that listen to it.
type tap struct {
	*hub
	cancel context.CancelFunc
	full   chan struct{} // all views are there
	at     atomic.Uint64 // everything up to this position was handed out or is being so
	feeds  []*feed       // guarded by hub.mu; never changed in place
	caught bool          // guarded by hub.mu; it has been at the end of the log
	begun  bool          // guarded by hub.mu
}

func (h *hub) serves(f domain.Filter) bool { return slices.Equal(f.Prefixes, h.filter.Prefixes) }

// join has a tap feed f from its position on. It returns false where the tap is further already.
func (h *hub) join(f *feed) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tap
	if t == nil {
		ctx, cancel := context.WithCancel(context.Background()) // it ends when the last feed has left
		t = &tap{hub: h, cancel: cancel, full: make(chan struct{})}
		h.tap = t
		h.taps.Go(func() { t.run(ctx) })
	}
	at := f.position()
	if t.begun && uint64(at) < t.at.Load() {
		return false
	}
	t.feeds = append(slices.Clip(t.feeds), f)
	if !t.begun && len(t.feeds) == h.views {
		select {
		case <-t.full: // a feed had left and came back
		default:
			close(t.full)
		}
	}
	if t.caught {
		f.reached()
	}
	return true
}

// joinable reports whether a feed at the position need not read by itself.
func (h *hub) joinable(at domain.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tap == nil || !h.tap.begun || uint64(at) >= h.tap.at.Load()
}

// leave ends that the tap feeds f.
func (h *hub) leave(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tap != nil {
		h.tap.drop(f, nil)
	}
}

// drop lets go of a feed, and ends the tap with the last one. The hub is locked.
func (t *tap) drop(f *feed, err error) {
	i := slices.Index(t.feeds, f)
	if i < 0 {
		return
	}
	t.feeds = slices.Delete(slices.Clone(t.feeds), i, i+1)
	f.left <- err // it holds one word, and was empty: a feed is let go of once for each time that it joined
	if len(t.feeds) == 0 {
		t.cancel()
		if t.hub.tap == t {
			t.hub.tap = nil
		}
	}
}

// run waits for the views, reads the log and hands it out.
func (t *tap) run(ctx context.Context) {
	defer t.cancel()
	_ = pause(ctx, t.full, gatherFor) // begin shows whether it was cancelled
	err := t.read(ctx, t.begin())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hub.tap == t {
		t.hub.tap = nil
	}
	for _, f := range t.feeds {
		t.drop(f, err)
	}
}

// begin chooses where to begin: where the view that has come furthest is. Others read by themselves
// until they are there, so that one that is built anew doesn't hold up those that answer queries.
func (t *tap) begin() domain.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = true
	var at domain.Position
	for _, f := range t.feeds {
		at = max(at, f.position())
	}
	t.at.Store(uint64(at))
	for _, f := range t.feeds {
		if f.position() < at {
			t.drop(f, nil)
		}
	}
	return at
}

func (t *tap) read(ctx context.Context, after domain.Position) error {
	tracker := newTracker(t.source)
	for d, err := range deliveries(ctx, t.source, after, t.filter) {
		if err != nil {
			return err
		}
		var e Event
		if d.Event != nil {
			if e, err = tracker.read(ctx, d.Event); err != nil {
				return err
			}
		}
		t.mu.Lock()
		t.at.Store(max(t.at.Load(), uint64(d.Position)))
		t.caught = t.caught || d.CaughtUp
		feeds := t.feeds
		t.mu.Unlock()
		paced := true
		for _, f := range feeds {
			if err := t.hand(ctx, f, d, e); err != nil {
				return err
			}
			paced = paced && f.live
		}
		if paced {
			if err := t.pace.rest(ctx); err != nil {
				return err
			}
		}
	}
	return errFeedEnded
}

// hand gives a delivery to one feed, or lets go of it where it is busy for too long.
func (t *tap) hand(ctx context.Context, f *feed, d domain.Delivery, e Event) error {
	var timeout <-chan time.Time
	if f.busy() {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		timeout = timer.C
	}
	err := f.put(ctx, d, e, timeout)
	if !errors.Is(err, errSlow) {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(f, nil)
	return nil
}
