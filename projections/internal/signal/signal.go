package signal

import (
	"context"
	"time"
)

// Tell sends a signal into a channel with room for one, unless one is there already.
func Tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Pause waits until d has passed or a signal comes, whichever is first. If ctx ends first, it
// returns ctx's error. A nil channel never gives a signal.
func Pause(ctx context.Context, word <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-word:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
