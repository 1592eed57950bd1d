package sagatest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/sagatest"
)

func event() domain.NewEvent {
	return domain.NewEvent{ID: uuid.New(), Type: "happened.v1", Data: []byte(`{}`)}
}

func revisions(t *testing.T, log domain.Log, stream string) int {
	t.Helper()
	n := 0
	for _, err := range log.ReadStream(t.Context(), stream, 0) {
		require.NoError(t, err)
		n++
	}
	return n
}

func TestFaultyLogWithoutFaultsKeepsTheContract(t *testing.T) {
	t.Parallel()
	sagatest.TestLog(t, func(t *testing.T) domain.Log {
		return sagatest.NewFaultyLog(t, memlog.New(), sagatest.FaultyConfig{})
	})
}

func TestFaultyLogFollowsItsScript(t *testing.T) {
	t.Parallel()
	f := sagatest.NewFaultyLog(t, memlog.New(), sagatest.FaultyConfig{})
	f.Script(2, sagatest.Fault{Kind: sagatest.FailBefore})
	f.Script(3, sagatest.Fault{Kind: sagatest.FailAfter})
	f.Script(5, sagatest.Fault{Kind: sagatest.Conflict})
	f.Script(6, sagatest.Fault{Kind: sagatest.Conflict, Other: func(ctx context.Context, log domain.Log, stream string) error {
		_, err := log.Append(ctx, stream, domain.AnyRevision, event())
		return err
	}})
	written, lost := event(), event()

	_, err := f.Append(t.Context(), "s", domain.NoStream, event())
	require.NoError(t, err)
	_, err = f.Append(t.Context(), "s", 0, written)
	require.ErrorIs(t, err, sagatest.ErrInjected)
	require.Equal(t, 1, revisions(t, f, "s"), "failed before the write")
	_, err = f.Append(t.Context(), "s", 0, written)
	require.ErrorIs(t, err, sagatest.ErrInjected)
	require.Equal(t, 2, revisions(t, f, "s"), "failed after the write")
	at, err := f.Append(t.Context(), "s", 0, written)
	require.NoError(t, err, "the repeat is recognised")
	require.Equal(t, uint64(1), at.Revision)

	var conflict *domain.ConflictError
	_, err = f.Append(t.Context(), "s", 1, lost)
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, domain.Expected(1), conflict.Actual, "spurious")
	_, err = f.Append(t.Context(), "s", 1, lost)
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, domain.Expected(2), conflict.Actual, "another writer was first")
	require.Equal(t, 3, revisions(t, f, "s"))

	require.Equal(t, 6, f.Appends())
	require.Equal(t, []sagatest.Injection{
		{Append: 2, Kind: sagatest.FailBefore, Stream: "s"}, {Append: 3, Kind: sagatest.FailAfter, Stream: "s"},
		{Append: 5, Kind: sagatest.Conflict, Stream: "s"}, {Append: 6, Kind: sagatest.Conflict, Stream: "s"},
	}, f.Injected())
}

func TestFaultyLogReplaysFromItsSeed(t *testing.T) {
	t.Parallel()
	cfg := sagatest.FaultyConfig{Seed: 42, FailBefore: 0.2, FailAfter: 0.2, Conflict: 0.2, Slow: 0.2, MaxDelay: time.Microsecond}
	run := func() ([]sagatest.Injection, *sagatest.FaultyLog) {
		f := sagatest.NewFaultyLog(t, memlog.New(), cfg)
		for range 200 {
			f.Append(t.Context(), "s", domain.AnyRevision, event()) //nolint:errcheck // faults are the point
		}
		return f.Injected(), f
	}
	first, f := run()
	second, _ := run()
	require.Equal(t, first, second)
	kinds := map[sagatest.FaultKind]int{}
	for _, i := range first {
		kinds[i.Kind]++
	}
	require.Len(t, kinds, 4)
	require.Equal(t, 200-kinds[sagatest.FailBefore]-kinds[sagatest.Conflict], revisions(t, f, "s"))

	f.Calm()
	for range 50 {
		_, err := f.Append(t.Context(), "s", domain.AnyRevision, event())
		require.NoError(t, err)
	}
}

func TestFaultyLogHoldsAppends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := sagatest.NewFaultyLog(t, memlog.New(), sagatest.FaultyConfig{})
		release, done := make(chan struct{}), make(chan error, 1)
		f.Script(1, sagatest.Fault{Kind: sagatest.Slow, Until: release})
		f.Script(2, sagatest.Fault{Kind: sagatest.Slow, Delay: time.Hour})
		go func() {
			_, err := f.Append(context.Background(), "s", domain.NoStream, event())
			done <- err
		}()
		synctest.Wait()
		require.Zero(t, revisions(t, f, "s"))
		close(release)
		require.NoError(t, <-done)

		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := f.Append(ctx, "s", 0, event())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, revisions(t, f, "s"), "cut short before the write")
	})
}
