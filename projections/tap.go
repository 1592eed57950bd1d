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

// hub lets the views that begin at one place of the log, or have come to it, read and decode it once for all of them:
// those that answer queries share one tap, and those that are built at the same time another. A
// view that was built joins the first one when it answers.
type hub struct {
	source Source
	filter domain.Filter
	pace   *pacer
	views  int // that may join
	taps   sync.WaitGroup

	mu   sync.Mutex
	open []*tap // those that somebody listens to
}

// tap is one pass over the log for the feeds that listen to it.
type tap struct {
	*hub
	live   bool // it gathers views that answer queries; not those that are being built
	cancel context.CancelFunc
	full   chan struct{} // all views are there
	at     atomic.Uint64 // everything up to this position was handed out or is being so
	feeds  []*feed       // guarded by hub.mu; never changed in place
	caught bool          // guarded by hub.mu; it has been at the end of the log
	begun  bool          // guarded by hub.mu
}

func (h *hub) serves(f domain.Filter) bool { return slices.Equal(f.Prefixes, h.filter.Prefixes) }

// join has a tap feed f from its position on. It returns false where f is to read by itself, because the
// taps are further already.
func (h *hub) join(f *feed) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.near(f, f.position())
	if t == nil {
		t = h.gathering(f)
	}
	if t == nil {
		return false
	}
	f.joined = true
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

// near returns a tap under way that f need not wait for at the position, nor miss anything of: the one of the live
// views, which f may be ahead of, or of views that are being built and stand right there. The hub is locked.
func (h *hub) near(f *feed, at domain.Position) *tap {
	for _, t := range h.open {
		if !t.begun {
			continue
		}
		if now := domain.Position(t.at.Load()); t.live && now <= at || !t.live && !f.live && now == at {
			return t
		}
	}
	return nil
}

// gathering returns a tap that has not begun yet and takes feeds such as f, a new one where there is none. The live views
// have one tap; a view that is being built and fell behind those that it began with has none. The hub is locked.
func (h *hub) gathering(f *feed) *tap {
	for _, t := range h.open {
		if t.live == f.live && !t.begun {
			return t
		}
	}
	if f.live && h.hasLive() || !f.live && f.joined {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background()) // it ends when the last feed has left
	t := &tap{hub: h, live: f.live, cancel: cancel, full: make(chan struct{})}
	h.open = append(h.open, t)
	h.taps.Go(func() { t.run(ctx) })
	return t
}

func (h *hub) hasLive() bool {
	return slices.ContainsFunc(h.open, func(t *tap) bool { return t.live })
}

// joinable reports whether a feed that has come to the position need not read by itself any more.
func (h *hub) joinable(f *feed, at domain.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return f.live && !h.hasLive() || h.near(f, at) != nil
}

// leave ends that a tap feeds f.
func (h *hub) leave(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range slices.Clone(h.open) {
		t.drop(f, nil)
	}
}

// shut takes the tap off the hub, which is locked.
func (h *hub) shut(t *tap) {
	h.open = slices.DeleteFunc(h.open, func(other *tap) bool { return other == t })
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
		t.hub.shut(t)
	}
}

// run waits for the views, reads the log and hands it out.
func (t *tap) run(ctx context.Context) {
	defer t.cancel()
	_ = pause(ctx, t.full, gatherFor) // begin shows whether it was cancelled
	err := t.read(ctx, t.begin())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hub.shut(t)
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
			if err := t.hand(ctx, f, d, e, len(feeds) > 1); err != nil {
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

// hand gives a delivery to one feed, or lets go of it where others share the tap and it is busy for too long.
func (t *tap) hand(ctx context.Context, f *feed, d domain.Delivery, e Event, shared bool) error {
	var timeout <-chan time.Time
	if shared && f.busy() {
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
