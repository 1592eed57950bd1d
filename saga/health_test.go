package saga_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// moodyLog is a log whose appends do what they are told to.
type moodyLog struct {
	domain.Log
	mood atomic.Pointer[func(context.Context) error]
}

func (l *moodyLog) set(mood func(context.Context) error) { l.mood.Store(&mood) }

func (l *moodyLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if mood := l.mood.Load(); mood != nil && *mood != nil {
		if err := (*mood)(ctx); err != nil {
			return domain.Appended{}, err
		}
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

// TestNotReadyAndOutWithinSecondsWhenTheLogFails: neither a handler that ignores its context, nor
// one whose outcome can't be recorded, holds up the end.
func TestNotReadyAndOutWithinSecondsWhenTheLogFails(t *testing.T) {
	t.Parallel()
	log := &moodyLog{Log: memlog.New()}
	r := newRig(t, memlog.New())
	doing, goOn := make(chan struct{}, 2), make(chan struct{})
	t.Cleanup(func() { close(goOn) })
	deaf := &saga.Action[string, string]{Name: "deaf", Effect: saga.NoEffect, Do: func(context.Context, string) (string, error) {
		doing <- struct{}{}
		<-goOn
		return "", nil
	}}
	undo := r.act("undo")
	undo.Do = func(context.Context, string) (string, error) { return "", nil }
	undo.Undo = func(context.Context, saga.Did[string, string]) error { doing <- struct{}{}; <-goOn; return nil }
	fails := &saga.Action[string, string]{Name: "fails", Effect: saga.NoEffect, Do: func(context.Context, string) (string, error) { return "", saga.Permanent(errModel) }}
	hangs, turns := chain("hangs", deaf), chain("turns", undo, fails)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c, err := saga.New(saga.Config{Log: log, Logger: quiet})
	require.NoError(t, err)
	require.NoError(t, c.Register(hangs, turns))
	require.ErrorIs(t, c.Health(), saga.ErrNotRunning)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	require.NoError(t, c.Health())
	start(t, c, hangs, "")
	start(t, c, turns, "")
	<-doing
	<-doing
	log.set(func(context.Context) error { return domain.ErrFailed })
	_, err = saga.Start(t.Context(), c, hangs, "")
	require.ErrorIs(t, err, domain.ErrFailed)
	require.ErrorIs(t, c.Health(), domain.ErrFailed, "at once")
	select {
	case err := <-ended:
		require.ErrorIs(t, err, domain.ErrFailed)
	case <-time.After(15 * time.Second):
		t.Fatal("Run waits for handlers whose outcomes nobody can record")
	}
	require.Error(t, c.Health())
}

// TestALogThatDoesNotAnswerIsToldAndMakesNotReady: by appends that hang or have no answer, within a
// second; not ready after two; and well again when it answers, though nobody appends.
func TestALogThatDoesNotAnswerIsToldAndMakesNotReady(t *testing.T) {
	t.Parallel()
	for name, mood := range map[string]func(context.Context) error{
		"hangs":       func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"unavailable": func(context.Context) error { return errModel },
	} {
		for _, shared := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					log := &moodyLog{Log: memlog.New()}
					r := newRig(t, memlog.New())
					s := chain("s", r.act("a"))
					c := begin(t, log, saga.Config{Shared: shared, Node: "n"}, s)
					time.Sleep(61 * time.Second) // signs of life come every 2.5 s
					require.Zero(t, c.LogSilence(), "nobody waits")
					log.set(mood)
					if shared { // it finds out by its next sign of life
						time.Sleep(1500 * time.Millisecond)
					} else {
						ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
						defer cancel()
						go func() { _, _ = c.EmitEvent(ctx, "orders-1", "ordered", []byte(`1`), saga.EmitOptions{}) }()
					}
					time.Sleep(1100 * time.Millisecond)
					require.GreaterOrEqual(t, c.LogSilence(), time.Second)
					require.NoError(t, c.Health(), "an election takes as long")
					time.Sleep(time.Second)
					require.ErrorIs(t, c.Health(), saga.ErrLogSilent)
					time.Sleep(10 * time.Second)
					require.ErrorIs(t, c.Health(), saga.ErrLogSilent)
					log.set(nil)
					time.Sleep(15 * time.Second)
					require.NoError(t, c.Health())
					require.Zero(t, c.LogSilence())
				})
			})
		}
	}
}
