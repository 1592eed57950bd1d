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
	// patience is how long a view that is busy with a full batch holds up the others. Then they go
	// on without it, and it reads the log by itself until it has caught up with them.
	patience = time.Second
)

// Hub lets views that stand at the same place of the log read and decode it once for all: those
// that answer queries share one tap, and those that are built at the same time another. A view that
// was built joins the first one when it answers.
type Hub struct {
	source projections.Source
	filter domain.Filter
	pace   *pacer
	views  int // that may join
	taps   sync.WaitGroup

	mu   sync.Mutex
	open []*tap // those that a follower listens to
}

// NewHub returns a hub for views with the filters. The first filter is that of the views that share
// taps. Live views together take at most the share of one core; 1 or more is no bound.
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

// Spent says that live views have worked for so long.
func (h *Hub) Spent(d time.Duration) { h.pace.spent(d) }

// Hurry ends all rests until the returned function is called.
func (h *Hub) Hurry() (done func()) { return h.pace.hurry() }

// tap is one pass over the log for the followers that listen to it.
type tap struct {
	*Hub
	live      bool // its views answer queries; else they are being built
	cancel    context.CancelFunc
	full      chan struct{} // all views are there
	at        atomic.Uint64 // everything up to this position was handed out or is being so
	followers []*Follower   // guarded by Hub.mu; never changed in place
	caught    bool          // guarded by Hub.mu; it has been at the end of the log
	begun     bool          // guarded by Hub.mu
}

func (h *Hub) serves(f domain.Filter) bool { return slices.Equal(f.Prefixes, h.filter.Prefixes) }

// join has a tap feed the follower from its position on. It returns false where the follower must
// read by itself, because the taps are further already.
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

// near returns a tap under way that a follower at the position can join without waiting for it or
// missing an event: the tap of the live views, if that is not further, or the tap of views that are
// being built, if that stands right there. It is called with the lock held.
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

// gathering returns a tap that has not begun yet and takes followers of this kind, if need be a new
// one. The live views have one tap; a view that is being built and fell behind those that it began
// with gets none. It is called with the lock held.
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

// joinable reports whether a follower that has come to the position can join a tap.
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

// drop lets go of a follower, and ends the tap with the last one. It is called with the lock held.
func (t *tap) drop(f *Follower, err error) {
	i := slices.Index(t.followers, f)
	if i < 0 {
		return
	}
	t.followers = slices.Delete(slices.Clone(t.followers), i, i+1)
	f.left <- err // it holds one word and is empty: each join is followed by one drop
	if len(t.followers) == 0 {
		t.cancel()
		t.shut(t)
	}
}

// run waits for the views, reads the log and hands it out.
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

// begin returns where to begin: where the view that has come furthest stands. Others read by
// themselves until they are there, so that a view that is built anew does not hold up those that
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
	for e, err := range t.subscribe(ctx, after, t.filter) {
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

// hand gives an event to one follower. It lets go of a follower that is busy for too long, if
// others share the tap.
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
