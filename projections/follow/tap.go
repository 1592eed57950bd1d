package follow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/internal/signal"
)

const (
	// gatherFor is how long a tap waits for all views before it begins to read.
	gatherFor = 100 * time.Millisecond
	// patience is how long a view that is busy with a full batch may delay the others. Then the tap
	// drops it, and it reads the log by itself until it has caught up.
	patience = time.Second
)

// Hub lets views at the same position read and decode the log only once. The views that answer
// queries share one tap; views that are built at the same time share another. A view joins the
// first tap when it begins to answer queries.
type Hub struct {
	source projections.Source
	filter domain.Filter
	pace   *pacer
	views  int // number of views that may join
	taps   sync.WaitGroup

	mu   sync.Mutex
	open []*tap // the taps with followers
}

// NewHub returns a hub for views with these filters. Views with the first filter share taps. Live
// views together use at most share of one core; 1 or more means no limit.
func NewHub(source projections.Source, shared domain.Filter, share float64, filters ...domain.Filter) *Hub {
	h := &Hub{source: source, filter: shared, pace: newPacer(source, shared, share)}
	for _, f := range filters {
		if h.serves(f) {
			h.views++
		}
	}
	return h
}

// Wait returns when the last tap has ended.
func (h *Hub) Wait() { h.taps.Wait() }

// Spent adds time that live views have worked.
func (h *Hub) Spent(d time.Duration) { h.pace.spent(d) }

// Hurry ends all rests until the returned function is called.
func (h *Hub) Hurry() (done func()) { return h.pace.hurry() }

// tap is one pass over the log for the followers that listen to it.
type tap struct {
	*Hub
	live      bool // its views answer queries; otherwise they are being built
	cancel    context.CancelFunc
	full      chan struct{} // all views are there
	at        atomic.Uint64 // everything up to this position was handed out, or is being handed out
	followers []*Follower   // guarded by Hub.mu; never changed in place
	caught    bool          // guarded by Hub.mu; it has been at the end of the log
	begun     bool          // guarded by Hub.mu
}

func (h *Hub) serves(f domain.Filter) bool { return slices.Equal(f.Prefixes, h.filter.Prefixes) }

// join makes a tap feed the follower from its position on. It returns false if all taps are further
// ahead, so that the follower must read by itself.
func (h *Hub) join(f *Follower) bool {
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
	t.followers = append(slices.Clip(t.followers), f)
	if !t.begun && len(t.followers) == h.views {
		select {
		case <-t.full: // a follower had left and came back
		default:
			close(t.full)
		}
	}
	if t.caught {
		f.reached()
	}
	return true
}

// near returns a running tap that a follower at the position can join without waiting and without
// missing an event: the tap of the live views, if it is not further ahead, or a tap of views being
// built, if it is exactly there. Call it with the lock held.
func (h *Hub) near(f *Follower, at domain.Position) *tap {
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

// gathering returns a tap of this kind that has not begun yet, or makes one. There is one tap for
// live views. A view being built that fell behind the others of its tap gets none. Call it with the
// lock held.
func (h *Hub) gathering(f *Follower) *tap {
	for _, t := range h.open {
		if t.live == f.live && !t.begun {
			return t
		}
	}
	if f.live && h.hasLive() || !f.live && f.joined {
		return nil
	}
	// the tap ends when the last follower has left
	ctx, cancel := context.WithCancel(context.Background())
	t := &tap{Hub: h, live: f.live, cancel: cancel, full: make(chan struct{})}
	h.open = append(h.open, t)
	h.taps.Go(func() { t.run(ctx) })
	return t
}

func (h *Hub) hasLive() bool {
	return slices.ContainsFunc(h.open, func(t *tap) bool { return t.live })
}

// joinable reports whether a follower at the position can join a tap.
func (h *Hub) joinable(f *Follower, at domain.Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return f.live && !h.hasLive() || h.near(f, at) != nil
}

// leave takes the follower off its tap.
func (h *Hub) leave(f *Follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range slices.Clone(h.open) {
		t.drop(f, nil)
	}
}

// shut takes the tap off the hub. It is called with the lock held.
func (h *Hub) shut(t *tap) {
	h.open = slices.DeleteFunc(h.open, func(other *tap) bool { return other == t })
}

// drop removes a follower, and ends the tap after the last one. Call it with the lock held.
func (t *tap) drop(f *Follower, err error) {
	i := slices.Index(t.followers, f)
	if i < 0 {
		return
	}
	t.followers = slices.Delete(slices.Clone(t.followers), i, i+1)
	// It has room for one error and is empty, because each join is followed by one drop.
	f.left <- err
	if len(t.followers) == 0 {
		t.cancel()
		t.shut(t)
	}
}

// run waits for the views, reads the log and hands out the events.
func (t *tap) run(ctx context.Context) {
	defer t.cancel()
	_ = signal.Pause(ctx, t.full, gatherFor) // begin shows whether it was cancelled
	err := t.read(ctx, t.begin())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut(t)
	for _, f := range t.followers {
		t.drop(f, err)
	}
}

// begin returns where to begin: at the position of the view that is furthest ahead. The others read
// by themselves until they reach it, so a view that is being rebuilt does not delay those that
// answer queries.
func (t *tap) begin() domain.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = true
	var at domain.Position
	for _, f := range t.followers {
		at = max(at, f.position())
	}
	t.at.Store(uint64(at))
	for _, f := range t.followers {
		if f.position() < at {
			t.drop(f, nil)
		}
	}
	return at
}

func (t *tap) read(ctx context.Context, after domain.Position) error {
	for e, err := range t.subscribe(ctx, after, t.filter, nil) {
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.at.Store(max(t.at.Load(), uint64(e.Position)))
		t.caught = t.caught || e.CaughtUp
		followers := t.followers
		t.mu.Unlock()
		paced := true
		for _, f := range followers {
			if err := t.hand(ctx, f, e, len(followers) > 1); err != nil {
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
	return errEnded
}

// hand gives an event to one follower. If others share the tap, it drops a follower that is busy
// for too long.
func (t *tap) hand(ctx context.Context, f *Follower, e delivered, shared bool) error {
	var timeout <-chan time.Time
	if shared && f.busy() {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		timeout = timer.C
	}
	err := f.put(ctx, e, timeout)
	if !errors.Is(err, errSlow) {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(f, nil)
	return nil
}
