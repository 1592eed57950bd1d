package follow

import (
	"context"
	"time"

	"github.com/atonehq/atone/domain"
)

// Config says what one view needs.
type Config struct {
	// Filter selects the events.
	Filter domain.Filter
	// Wants, if set, chooses among them; see [projections.View].
	Wants func(*domain.Recorded) bool
	// Batch is the largest number of events in a batch.
	Batch int
	// Linger is how long a live batch is kept open for more events.
	Linger time.Duration
	// Live means that the view's tables answer queries. Only then is the follower paced.
	Live bool
	// Hurried gives a signal when a query waits: an open batch is then closed at once.
	Hurried <-chan struct{}
}

// Follower prepares the next batch of one view while the view applies the previous one. If possible
// it listens to a tap that views share; otherwise it reads the log by itself.
type Follower struct {
	*buffer
	hub    *Hub
	filter domain.Filter
	wants  func(*domain.Recorded) bool
	live   bool
	shares bool       // it wants what a tap has, so that a tap can feed it
	left   chan error // the tap dropped the follower: nil if it was too slow
	joined bool       // a tap has fed it; guarded by hub.mu
}

// Follow returns a follower for one pass of a view over the log. It starts nothing.
func (h *Hub) Follow(c Config) *Follower {
	return &Follower{buffer: newBuffer(c), hub: h, filter: c.Filter, wants: c.Wants, live: c.Live, shares: h.serves(c.Filter) && c.Wants == nil, left: make(chan error, 1)}
}

// Run follows the log after the position until ctx ends or reading fails. Take then returns the
// error.
func (f *Follower) Run(ctx context.Context, after domain.Position) {
	f.at = after
	var err error
	for err == nil {
		if f.shares && f.hub.join(f) {
			err = f.listen(ctx)
		} else {
			err = f.read(ctx)
		}
	}
	f.fail(err)
}

// listen waits while the tap feeds the follower. It returns nil if the tap dropped it for being
// slow.
func (f *Follower) listen(ctx context.Context) error {
	select {
	case err := <-f.left:
		return err
	case <-ctx.Done():
		f.hub.leave(f)
		f.cut() // the tap may be waiting for room
		return ctx.Err()
	}
}

// read reads the log itself until it reaches a tap; then it returns nil.
func (f *Follower) read(ctx context.Context) error {
	for e, err := range f.hub.subscribe(ctx, f.at, f.filter, f.wants) {
		if err != nil {
			return err
		}
		if err := f.put(ctx, e, nil); err != nil {
			return err
		}
		if f.live {
			if err := f.hub.pace.rest(ctx); err != nil {
				return err
			}
		}
		if f.shares && f.hub.joinable(f, e.Position) {
			return nil
		}
	}
	return errEnded
}
