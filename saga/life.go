package saga

import (
	"context"
	"fmt"

	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/engine"
	"github.com/atonehq/atone/saga/internal/hands"
)

// idleHands returns goroutines on which to call the authors' code. It returns nil, which keeps
// none, if the coordinator does not run: nobody would end them.
func (c *Coordinator) idleHands() *hands.Pool {
	if c.state.Load() != stateRunning {
		return nil
	}
	return &c.hands
}

// goBackground runs f until the coordinator's life ends. Once Run waits for the background to end,
// it returns false and does not run f: the next start derives again what f was to do.
func (c *Coordinator) goBackground(f func(ctx context.Context)) bool {
	c.backgroundMu.Lock()
	defer c.backgroundMu.Unlock()
	if c.backgroundEnds {
		return false
	}
	c.background.Add(1)
	c.hands.Go(func() {
		defer c.background.Done()
		f(c.life)
	})
	return true
}

// endBackground waits for everything in the background.
func (c *Coordinator) endBackground() {
	c.backgroundMu.Lock()
	c.backgroundEnds = true
	c.backgroundMu.Unlock()
	c.background.Wait()
}

// awaitReady waits until the coordinator runs.
func (c *Coordinator) awaitReady(ctx context.Context) error {
	if c.state.Load() == stateRunning {
		return nil
	}
	select {
	case <-c.ready:
		if c.state.Load() == stateRunning {
			return nil
		}
		return ErrNotRunning
	case <-c.life.Done():
		return ErrNotRunning
	case <-ctx.Done():
		return fmt.Errorf("%w: is its Run called? (%w)", ErrNotRunning, ctx.Err())
	}
}

// Ready returns a channel that is closed when the coordinator has started.
func (c *Coordinator) Ready() <-chan struct{} { return c.ready }

// startError returns what Run returns for an error during its start: nil if Run was stopped
// meanwhile.
func startError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // a stop during the start is a clean stop
	}
	return err
}

// self is the actor of what the coordinator does by itself.
func (c *Coordinator) self() engine.By { return engine.By{Actor: c.cfg.Node} }

type actorKey struct{}

// WithActor returns a context that names who acts. A call made with it records the name in each
// event that follows from the call; without it, the coordinator's name is recorded. The call
// refuses a name over 250 bytes, or with invisible characters, with [ErrBadInput].
func WithActor(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, actorKey{}, name)
}

func actorOf(ctx context.Context) string {
	name, _ := ctx.Value(actorKey{}).(string)
	return name
}

// by returns the actor of a call with the context.
func (c *Coordinator) by(ctx context.Context) engine.By { return engine.By{Actor: actorOf(ctx)} }

// checkActor returns an error for an actor's name that can't be shown.
func checkActor(ctx context.Context) error {
	return accept.OptionalName("the actor", actorOf(ctx), accept.MaxName)
}
