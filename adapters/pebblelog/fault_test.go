package pebblelog_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// full is a disk that refuses every write after a number of them.
type full struct{ left atomic.Int64 }

func (f *full) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	if f.left.Add(-1) < 0 {
		return syscall.ENOSPC
	}
	return nil
}

func (f *full) String() string { return "(full)" }

// TestFullDiskLosesNothingThatWasAcknowledged lets the disk fill up after every number of
// writes: the log must refuse, go on serving what it acknowledged, close, and hold all of it
// when it is opened again.
func TestFullDiskLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	refused := 0
	for room := int64(0); room < 140; room += 1 + room/20 {
		mem := vfs.NewCrashableMem()
		prepare(t, mem)
		disk := &full{}
		disk.left.Store(1 << 30)
		cfg := onFS(errorfs.Wrap(mem, disk))
		cfg.MemTableBytes = 1 << 20
		l, err := pebblelog.Open("log", cfg)
		require.NoError(t, err)
		disk.left.Store(room)

		acked := appendUntilRefused(t, l)
		if err := l.Stats().Failed; err {
			refused++
			_, err := l.Append(t.Context(), "other", domain.NoStream, event(10))
			require.ErrorIs(t, err, pebblelog.ErrFailed)
			require.ErrorContains(t, err, "open the log again")
			requireAll(t, l, acked)
		}
		_ = l.Close() // may fail; nothing may be lost if it does

		for what, fs := range map[string]vfs.FS{"stopped": mem, "power cut": mem.CrashClone(vfs.CrashCloneCfg{})} {
			l, err = pebblelog.Open("log", onFS(fs))
			require.NoError(t, err, "%s after %d writes", what, room)
			requireAll(t, l, acked)
			_, err = l.Append(t.Context(), "other", domain.NoStream, event(10))
			require.NoError(t, err)
			report, err := l.Check(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Problems)
			require.NoError(t, l.Close())
		}
	}
	require.Greater(t, refused, 10)
}

// noTables is a disk that has room only for the small files that opening a log makes.
type noTables struct{}

func (noTables) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.HasSuffix(op.Path, ".sst") {
		return syscall.ENOSPC
	}
	return nil
}

func (noTables) String() string { return "(no tables)" }

// TestOpeningOnAFullDiskSaysSo opens a log that was not closed, and so has to be written to first:
// Pebble tries that for ever. The abandoned database ends only with the program, so this test is a
// program of its own.
func TestOpeningOnAFullDiskSaysSo(t *testing.T) {
	t.Parallel()
	if os.Getenv(fullDiskChild) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOpeningOnAFullDiskSaysSo$", "-test.timeout=1m")
		child.Env = append(os.Environ(), fullDiskChild+"=1")
		out, err := child.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	mem := vfs.NewCrashableMem()
	prepare(t, mem)
	l, err := pebblelog.Open("log", onFS(mem))
	require.NoError(t, err)
	_, err = l.Append(t.Context(), "late", domain.NoStream, eventsOf(3, 100)...)
	require.NoError(t, err)
	killed := mem.CrashClone(vfs.CrashCloneCfg{})
	_, err = pebblelog.Open("log", onFS(errorfs.Wrap(killed, noTables{})))
	require.ErrorIs(t, err, pebblelog.ErrFailed)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "free space")

	l, err = pebblelog.Open("log", onFS(killed.CrashClone(vfs.CrashCloneCfg{})))
	require.NoError(t, err, "once there is space again")
	n := 0
	for _, err := range l.ReadStream(t.Context(), "late", 0) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 3, n)
	os.Exit(0)
}

// fullDiskChild is set in the environment of the program that opens a log on a full disk.
const fullDiskChild = "ATONE_TEST_FULL_DISK"

// prepare makes a log with some events.
func prepare(t *testing.T, fs vfs.FS) {
	t.Helper()
	l, err := pebblelog.Open("log", onFS(fs))
	require.NoError(t, err)
	_, err = l.Append(t.Context(), "before", domain.NoStream, eventsOf(3, 100)...)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// appendUntilRefused has four writers append until the log fails, and returns the ids of
// what was acknowledged, by stream. It gives up after some megabytes.
func appendUntilRefused(t *testing.T, l *pebblelog.Log) map[string][]uuid.UUID {
	t.Helper()
	var mu sync.Mutex
	acked := make(map[string][]uuid.UUID)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			stream := uuid.NewString()
			for i := range 12 {
				e := event(60_000)
				_, err := l.Append(context.Background(), stream, domain.Expected(i-1), e)
				if err != nil {
					if !errors.Is(err, pebblelog.ErrFailed) {
						t.Errorf("append: %v instead of ErrFailed", err)
					}
					return
				}
				mu.Lock()
				acked[stream] = append(acked[stream], e.ID)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return acked
}

// requireAll requires that the streams hold at least these events.
func requireAll(t *testing.T, l *pebblelog.Log, acked map[string][]uuid.UUID) {
	t.Helper()
	for stream, want := range acked {
		var got []uuid.UUID
		for e, err := range l.ReadStream(t.Context(), stream, 0) {
			require.NoError(t, err)
			got = append(got, e.ID)
		}
		require.GreaterOrEqual(t, len(got), len(want))
		require.Equal(t, want, got[:len(want)])
	}
}

func TestDirectoryBelongsToOneLogAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, quiet())
	_, err := pebblelog.Open(dir, quiet())
	require.ErrorIs(t, err, pebblelog.ErrLocked)
	require.ErrorContains(t, err, "stop the process that has it open")
	_, err = pebblelog.Verify(t.Context(), dir)
	require.ErrorIs(t, err, pebblelog.ErrLocked)
	require.NoError(t, l.Close())
	open(t, dir, quiet())
}

func TestForeignAndNewerDirectoriesAreLeftAlone(t *testing.T) {
	t.Parallel()
	newer := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(newer, "FORMAT"), []byte("atone log format 2\n"), 0o600))
	_, err := pebblelog.Open(newer, quiet())
	require.ErrorIs(t, err, pebblelog.ErrNewerFormat)
	require.ErrorContains(t, err, "upgrade atone")

	garbled := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(garbled, "FORMAT"), []byte("something"), 0o600))
	_, err = pebblelog.Open(garbled, quiet())
	require.ErrorIs(t, err, pebblelog.ErrNotALog)

	foreign := t.TempDir()
	db, err := pebble.Open(foreign, &pebble.Options{Logger: nothing{}})
	require.NoError(t, err)
	require.NoError(t, db.Set([]byte("a"), []byte("b"), pebble.Sync))
	require.NoError(t, db.Close())
	_, err = pebblelog.Open(foreign, quiet())
	require.ErrorIs(t, err, pebblelog.ErrNotALog)

	emptied := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(emptied, "FORMAT"), []byte("atone log format 1\n"), 0o600))
	_, err = pebblelog.Open(emptied, quiet())
	require.ErrorIs(t, err, pebblelog.ErrNotALog)
	require.ErrorContains(t, err, "restore a backup")

	_, err = pebblelog.Verify(t.Context(), t.TempDir())
	require.ErrorIs(t, err, pebblelog.ErrNotALog)
}

type nothing struct{}

func (nothing) Infof(string, ...any)  {}
func (nothing) Errorf(string, ...any) {}
func (nothing) Fatalf(string, ...any) {}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := pebblelog.Open(t.TempDir(), pebblelog.Config{CacheBytes: -1, MemTableBytes: 5, TailBytes: -1, Heads: -1})
	for _, field := range []string{"CacheBytes", "MemTableBytes", "TailBytes", "Heads"} {
		require.ErrorContains(t, err, field)
	}
}

func TestCloseAnswersEveryAppendUnderWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := pebblelog.Open(dir, quiet())
	require.NoError(t, err)
	var acked atomic.Int64
	var wg sync.WaitGroup
	var started sync.WaitGroup
	for range 32 {
		started.Add(1)
		wg.Go(func() {
			stream := uuid.NewString()
			for i := 0; ; i++ {
				_, err := l.Append(context.Background(), stream, domain.Expected(i-1), event(100))
				if i == 0 {
					started.Done()
				}
				if err != nil {
					if !errors.Is(err, domain.ErrClosed) {
						t.Errorf("append: %v instead of ErrClosed", err)
					}
					return
				}
				acked.Add(1)
			}
		})
	}
	started.Wait()
	require.NoError(t, l.Close())
	wg.Wait()
	l = open(t, dir, quiet())
	require.Len(t, readAll(t, l), int(acked.Load()))
}

func TestStatsCountWhatHappened(t *testing.T) {
	t.Parallel()
	l := open(t, t.TempDir(), quiet())
	events := eventsOf(2, 100)
	_, err := l.Append(t.Context(), "s", domain.NoStream, events...)
	require.NoError(t, err)
	_, err = l.Append(t.Context(), "s", domain.AnyRevision, events...)
	require.NoError(t, err)
	_, err = l.Append(t.Context(), "s", 7, event(1))
	require.ErrorIs(t, err, domain.ErrConflict)
	s := l.Stats()
	require.Equal(t, []uint64{1, 2, 1, 1, 1, 2}, []uint64{s.Appends, s.Events, s.Batches, s.Repeats, s.Conflicts, s.Durable})
	require.Equal(t, uint64(1), s.BatchSizes[0])
	require.Positive(t, s.SyncWait)
	require.Positive(t, s.DiskBytes)
	require.False(t, s.Failed)
	require.Len(t, s.SyncWaits, len(pebblelog.SyncWaitBounds())+1)
	require.Len(t, s.BatchSizes, len(pebblelog.BatchSizeBounds())+1)
}
