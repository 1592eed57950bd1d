package logtest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/sagatest/logtest"
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
	logtest.Test(t, func(t *testing.T) domain.Log {
		return logtest.NewFaultyLog(t, memlog.New(), logtest.FaultyConfig{})
	})
}

func TestFaultyLogFollowsItsScript(t *testing.T) {
	t.Parallel()
	f := logtest.NewFaultyLog(t, memlog.New(), logtest.FaultyConfig{})
	f.Script(2, logtest.Fault{Kind: logtest.FailBefore})
	f.Script(3, logtest.Fault{Kind: logtest.FailAfter})
	f.Script(5, logtest.Fault{Kind: logtest.Conflict})
	f.Script(6, logtest.Fault{Kind: logtest.Conflict, Other: func(ctx context.Context, log domain.Log, stream string) error {
		_, err := log.Append(ctx, stream, domain.AnyRevision, event())
		return err
	}})
	written, lost := event(), event()

	_, err := f.Append(t.Context(), "s", domain.NoStream, event())
	require.NoError(t, err)
	_, err = f.Append(t.Context(), "s", 0, written)
	require.ErrorIs(t, err, logtest.ErrInjected)
	require.Equal(t, 1, revisions(t, f, "s"), "failed before the write")
	_, err = f.Append(t.Context(), "s", 0, written)
	require.ErrorIs(t, err, logtest.ErrInjected)
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
	require.Equal(t, []logtest.Injection{
		{Append: 2, Kind: logtest.FailBefore, Stream: "s"}, {Append: 3, Kind: logtest.FailAfter, Stream: "s"},
		{Append: 5, Kind: logtest.Conflict, Stream: "s"}, {Append: 6, Kind: logtest.Conflict, Stream: "s"},
	}, f.Injected())
}

func TestFaultyLogReplaysFromItsSeed(t *testing.T) {
	t.Parallel()
	cfg := logtest.FaultyConfig{Seed: 42, FailBefore: 0.2, FailAfter: 0.2, Conflict: 0.2, Slow: 0.2, MaxDelay: time.Microsecond}
	run := func() ([]logtest.Injection, *logtest.FaultyLog) {
		f := logtest.NewFaultyLog(t, memlog.New(), cfg)
		for range 200 {
			f.Append(t.Context(), "s", domain.AnyRevision, event()) //nolint:errcheck // faults are the point
		}
		return f.Injected(), f
	}
	first, f := run()
	second, _ := run()
	require.Equal(t, first, second)
	kinds := map[logtest.FaultKind]int{}
	for _, i := range first {
		kinds[i.Kind]++
	}
	require.Len(t, kinds, 4)
	require.Equal(t, 200-kinds[logtest.FailBefore]-kinds[logtest.Conflict], revisions(t, f, "s"))

	f.Calm()
	for range 50 {
		_, err := f.Append(t.Context(), "s", domain.AnyRevision, event())
		require.NoError(t, err)
	}
}

func TestFaultyLogHoldsAppends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := logtest.NewFaultyLog(t, memlog.New(), logtest.FaultyConfig{})
		release, done := make(chan struct{}), make(chan error, 1)
		f.Script(1, logtest.Fault{Kind: logtest.Slow, Until: release})
		f.Script(2, logtest.Fault{Kind: logtest.Slow, Delay: time.Hour})
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
