package signal

import (
	"context"
	"time"
)

// Tell puts a word into a channel that holds one, unless one is there already.
func Tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Pause waits until d has passed or a word comes, whichever is first; the error is that of ctx, if
// ctx ends before. A nil channel never has a word.
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
