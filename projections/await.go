package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/internal/signal"
)

// ErrBehind means that a view did not reach the asked position in time.
var ErrBehind = errors.New("the view is behind")

// poll is how often Await checks a view that another process projects.
const poll = 20 * time.Millisecond

// Await waits until the live rows of the view have reached the position, for at most the timeout;
// then the error is [ErrBehind]. Use a position that an append to a run's stream returned. moved,
// if not nil, returns a channel that is closed when the rows may have moved. Await calls it before
// each look, so that it misses no move.
func Await(ctx context.Context, store Store, view string, position domain.Position, timeout time.Duration, moved func() <-chan struct{}) error {
	timed, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		var word <-chan struct{}
		if moved != nil {
			word = moved()
		}
		gens, err := store.Generations(timed, view)
		if err != nil && timed.Err() == nil {
			return fmt.Errorf("position of %s: %w", view, err)
		}
		var at domain.Position
		for _, g := range gens {
			if g.Live && !g.Old {
				at = g.Position
			}
		}
		if at >= position && err == nil {
			return nil
		}
		if signal.Pause(timed, word, poll) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s is at position %d, not yet at %d, after %v: %w", view, at, position, timeout, ErrBehind)
		}
	}
}
