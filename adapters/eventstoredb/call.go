package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/atonehq/atone/domain"
)

// pause is the backoff between attempts of one operation.
type pause struct{ b *backoff.ExponentialBackOff }

func (c Config) newPause() pause {
	return pause{&backoff.ExponentialBackOff{
		InitialInterval: c.RetryInitial, MaxInterval: c.RetryMax, Multiplier: 1.5, RandomizationFactor: 0.5,
	}}
}

// reset makes the next pause a short one again.
func (p pause) reset() { p.b.Reset() }

// wait sleeps for the next pause; it ends early with ctx.
func (p pause) wait(ctx context.Context) {
	timer := time.NewTimer(p.b.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// attempt makes one call on the link. The session is released, and left where the
// call's error says so, when do returns.
func attempt(ctx context.Context, l *link, do func(context.Context, *session) error) error {
	l.busy.Add(1)
	defer l.busy.Add(-1)
	s, err := l.acquire(ctx)
	if err != nil {
		return err
	}
	err = do(ctx, s)
	if ctx.Err() != nil {
		// The caller gave up; that says nothing about the node.
		l.release(s, nil)
		return err
	}
	var transient *transientError
	errors.As(err, &transient)
	l.release(s, transient)
	return err
}

// bind joins the caller's context with the log's life. Its cause is [domain.ErrClosed]
// where the log was closed first.
func (l *Log) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.life, func() { cancel(domain.ErrClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// persist repeats a call on the links of the pool while it fails transiently, until ctx ends.
func (l *Log) persist(ctx context.Context, what string, links *pool, do func(context.Context, *link, *session) error) error {
	err := l.repeat(ctx, func(n int) error {
		chosen, err := links.pick(n)
		if err != nil {
			return err
		}
		return attempt(ctx, chosen, func(ctx context.Context, s *session) error { return do(ctx, chosen, s) })
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// puzzles is how often in a row a call is made again whose failure nobody can explain. With
// the pauses between them that takes about a second.
const puzzles = 6

// repeat makes attempts (0, 1, 2 …) while they fail transiently, until ctx ends.
func (l *Log) repeat(ctx context.Context, try func(n int) error) error {
	p := l.cfg.newPause()
	var last error
	puzzled := 0
	for n := 0; ; n++ {
		if err := ended(ctx, last); err != nil {
			return err
		}
		err := try(n)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			continue // what a cancelled call says is no news
		}
		var transient *transientError
		if !errors.As(err, &transient) {
			return err
		}
		if !transient.puzzling {
			puzzled = 0
		} else if puzzled++; puzzled > puzzles {
			return fmt.Errorf("the server can't handle the request, after %d attempts: %w", puzzled, err)
		}
		last = err
		p.wait(ctx)
	}
}
