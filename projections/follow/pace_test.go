package follow

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// tail is a source whose newest position can be asked for; each time, as many events have come.
type tail struct {
	projections.Source
	at, growth domain.Position
}

func (s *tail) ReadAllBackward(context.Context, domain.Position, domain.Filter) iter.Seq2[domain.Recorded, error] {
	s.at += s.growth
	return func(yield func(domain.Recorded, error) bool) {
		for p := s.at; p > 0; p-- {
			if !yield(domain.Recorded{Position: p}, nil) {
				return
			}
		}
	}
}

// rested is for how long a pacer rests that owes a second.
func rested(t *testing.T, share float64, source projections.Source, meanwhile func(*pacer)) time.Duration {
	p := newPacer(source, domain.Filter{}, share)
	p.spent(time.Second)
	began := time.Now()
	go meanwhile(p)
	require.NoError(t, p.rest(t.Context()))
	return time.Since(began)
}

func TestViewsRestWhileTheLogIsBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := &tail{at: 1000, growth: 100}
		require.InDelta(t, 4, rested(t, 0.25, busy, func(*pacer) {}).Seconds(), 0.05, "a quarter of a core: four seconds for one")
		require.Zero(t, rested(t, 1, busy, func(*pacer) {}), "no share, no rest")
	})
}

func TestViewsCatchUpWhenTheLogIsQuiet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		require.LessOrEqual(t, rested(t, 0.01, &tail{at: 1000, growth: 3}, func(*pacer) {}), 3*restSlice)
		require.LessOrEqual(t, rested(t, 0.01, &tail{}, func(*pacer) {}), 3*restSlice)
	})
}

func TestViewsDoNotRestWhileAQueryWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := &tail{at: 1000, growth: 100}
		require.Equal(t, 10*time.Millisecond, rested(t, 0.1, busy, func(p *pacer) {
			time.Sleep(10 * time.Millisecond)
			p.hurry() // and it goes on waiting
		}))
	})
}

func TestRestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := newPacer(&tail{at: 1000, growth: 100}, domain.Filter{}, 0.1)
	p.spent(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.rest(ctx), context.Canceled)
}
