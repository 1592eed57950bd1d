package saga_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// distant is a log whose appends take 10 ms. It notes the appends to runs.
type distant struct {
	domain.Log
	mu      sync.Mutex
	began   time.Time
	appends []written
}

// written is an append to a run: when it was asked for, since the log was made, and how many
// outcomes it had.
type written struct {
	at       time.Duration
	outcomes int
}

const distance = 10 * time.Millisecond

func newDistant() *distant { return &distant{Log: memlog.New(), began: time.Now()} }

func (l *distant) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if _, run := domain.RunOfStream(stream); run {
		a := written{at: time.Since(l.began)}
		for _, e := range events {
			if e.Type == (*domain.AttemptSucceeded)(nil).WireName() {
				a.outcomes++
			}
		}
		l.mu.Lock()
		l.appends = append(l.appends, a)
		l.mu.Unlock()
	}
	time.Sleep(distance)
	return l.Log.Append(ctx, stream, expected, events...)
}

func (l *distant) taken() []written {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]written(nil), l.appends...)
}

// together is a saga of parallel steps that take as long as given.
func together(took ...time.Duration) *saga.Saga[int, int] {
	pass := &saga.Action[time.Duration, int]{Name: "pass", Effect: saga.NoEffect, Timeout: 2 * time.Hour,
		Do: func(ctx context.Context, d time.Duration) (int, error) {
			select {
			case <-time.After(d):
				return 1, nil
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}}
	return saga.Define("together", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		var branches []func(*saga.Flow)
		for i, d := range took {
			branches = append(branches, func(f *saga.Flow) {
				saga.Do(f, pass, func(saga.Scope) time.Duration { return d }, saga.Name(fmt.Sprintf("pass-%d", i)))
			})
		}
		saga.Parallel(f, branches...)
		return saga.Return(f, in.In)
	})
}

func TestOutcomesOfStepsThatBeganTogetherShareAnAppend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newDistant()
		spread := make([]time.Duration, 100) // they end over 8 ms
		for i := range spread {
			spread[i] = time.Duration(i*80) * time.Microsecond
		}
		def := together(spread...)
		c := begin(t, log, saga.Config{}, def)
		log.began = time.Now()
		run, err := saga.Start(t.Context(), c, def, 1)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []written{{0, 0}, {distance + spread[99], 100}}, log.taken(), "one that starts all, one with all outcomes and the end")
	})
}

func TestASlowStepHoldsUpOutcomesForNoLongerThanAnAppend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newDistant()
		def := together(time.Millisecond, 2*time.Millisecond, time.Hour, time.Hour+time.Millisecond)
		c := begin(t, log, saga.Config{}, def)
		log.began = time.Now()
		run, err := saga.Start(t.Context(), c, def, 1)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []written{
			{0, 0},
			{2 * distance, 2},         // after as long as the append before it took
			{distance + time.Hour, 1}, // late ones do not wait for each other
			{2*distance + time.Hour, 1},
		}, log.taken())
	})
}

func TestACancelIsNotHeldUpByStepsThatBeganTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newDistant()
		def := together(time.Millisecond, time.Hour)
		c := begin(t, log, saga.Config{}, def)
		log.began = time.Now()
		run, err := saga.Start(t.Context(), c, def, 1)
		require.NoError(t, err)
		time.Sleep(3 * time.Millisecond)
		require.NoError(t, c.Cancel(t.Context(), run.ID, "enough"))
		require.Equal(t, written{distance + 3*time.Millisecond, 1}, log.taken()[1], "with the outcome that waited")
		_, err = run.Wait(t.Context())
		var cancelled *saga.CancelledError
		require.ErrorAs(t, err, &cancelled)
	})
}
