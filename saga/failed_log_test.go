package saga_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// fullLog is a log whose disk is full from some time on.
type fullLog struct {
	domain.Log
	full atomic.Bool
}

func (l *fullLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	if l.full.Load() {
		return domain.Appended{}, domain.ErrFailed
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

func TestRunStopsWithAnErrorWhenTheDiskIsFullAndNothingIsLost(t *testing.T) {
	t.Parallel()
	log := &fullLog{Log: memlog.New()}
	started, goOn := make(chan struct{}, 1), make(chan struct{})
	work := &saga.Action[int, int]{Name: "work", Undo: func(context.Context, saga.Did[int, int]) error { return nil }, Retry: fastRetry,
		Do: func(_ context.Context, n int) (int, error) {
			select {
			case started <- struct{}{}:
				<-goOn
			default: // nobody waits any more: this is the second life
			}
			return n + 1, nil
		}}
	s := saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, work, in.In) })
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.Register(s))
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- c.Run(ctx) }()
	run, err := saga.Start(t.Context(), c, s, 1)
	require.NoError(t, err)
	<-started
	log.full.Store(true)
	close(goOn)
	require.ErrorIs(t, <-ended, domain.ErrFailed)
	_, err = saga.Start(t.Context(), c, s, 2)
	require.ErrorIs(t, err, saga.ErrNotRunning)

	log.full.Store(false)
	again := begin(t, log, saga.Config{}, s)
	n, err := saga.RunOf[int](again, run.ID).Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n)
}
