package pebblelog_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// onFS is a configuration for a log in the file system's directory "log".
func onFS(fs vfs.FS) pebblelog.Config {
	cfg := quiet()
	cfg.FS = fs
	return cfg
}

// written makes a log of n appends on a new file system, and returns the file system as a
// power cut leaves it after the last acknowledgement, and after an orderly Close.
func written(t *testing.T, n int) (crashed, closed *vfs.MemFS, all []domain.Recorded) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	l, err := pebblelog.Open("log", onFS(fs))
	require.NoError(t, err)
	for i := range n {
		stream := fmt.Sprintf("s-%d", i%7)
		_, err := l.Append(t.Context(), stream, domain.AnyRevision, eventsOf(2, 300)...)
		require.NoError(t, err)
	}
	all = readAll(t, l)
	crashed = fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, l.Close())
	return crashed, fs, all
}

func readAll(t *testing.T, l *pebblelog.Log) []domain.Recorded {
	t.Helper()
	var all []domain.Recorded
	for e, err := range l.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// copyOf clones the directory "log" into a new file system.
func copyOf(t *testing.T, fs vfs.FS) *vfs.MemFS {
	t.Helper()
	mem := vfs.NewCrashableMem()
	_, err := vfs.Clone(fs, mem, "log", "log", vfs.CloneSync)
	require.NoError(t, err)
	return mem
}

// files lists the files of the log with this suffix or prefix, oldest first.
func files(t *testing.T, fs vfs.FS, like string) []string {
	t.Helper()
	names, err := fs.List("log")
	require.NoError(t, err)
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, like) && !strings.HasPrefix(n, like) })
	slices.Sort(names)
	return names
}

func content(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(fs.PathJoin("log", name))
	require.NoError(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	return b
}

func rewrite(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(fs.PathJoin("log", name), vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(slices.Clone(b)) // under the race detector, MemFS garbles what it is given
	require.NoError(t, errors.Join(err, f.Sync(), f.Close()))
}

// walChunks returns the offsets in a write-ahead log at which its chunks begin, and the end of
// the last one.
func walChunks(b []byte) []int {
	var at []int
	i := 0
	for i+19 <= len(b) {
		if size := int(b[i+4]) | int(b[i+5])<<8; b[i+6] >= 9 && b[i+6] <= 12 {
			at = append(at, i)
			i += 19 + size
		} else if next := (i/32768 + 1) * 32768; next-i < 19 {
			i = next
		} else {
			break
		}
	}
	return append(at, i)
}

func TestTornEndOfTheWALIsRecovered(t *testing.T) {
	t.Parallel()
	crashed, _, all := written(t, 60)
	name := slices.Max(files(t, crashed, ".log"))
	wal := content(t, crashed, name)
	chunks := walChunks(wal)
	last, end := chunks[len(chunks)-2], chunks[len(chunks)-1]
	for _, cut := range []int{end, end - 1, end - 300, last + 20, last + 5, last} {
		fs := copyOf(t, crashed)
		rewrite(t, fs, name, wal[:cut])
		l, err := pebblelog.Open("log", onFS(fs))
		require.NoError(t, err, "cut at %d", cut)
		want := all
		if cut < end {
			want = all[:len(all)-2]
		}
		require.Equal(t, want, readAll(t, l), "cut at %d", cut)
		_, err = l.Append(t.Context(), "s-0", domain.AnyRevision, event(10))
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

func TestFlippedBytesInTheWALAreReported(t *testing.T) {
	t.Parallel()
	crashed, closed, all := written(t, 120)
	for what, state := range map[string]*vfs.MemFS{"after a power cut": crashed, "after an orderly end": closed} {
		name := slices.Max(files(t, state, ".log"))
		wal := content(t, state, name)
		chunks := walChunks(wal)
		require.Greater(t, chunks[len(chunks)-1], 2*32768, "the test should span blocks")
		provable := len(chunks) - 1 // the last one is the end
		if state == crashed {
			// The last append could be torn, and Pebble may note the sync of the one before only
			// after the last was written. Each may be one chunk, or a first and a last one.
			for left := 2; left > 0; {
				if provable--; wal[chunks[provable]+6] == 9 || wal[chunks[provable]+6] == 10 {
					left--
				}
			}
		}
		for i, start := range chunks[:provable] {
			for _, at := range []int{start + i%19, start + 19 + i%100} {
				if at >= chunks[i+1] {
					continue
				}
				fs := copyOf(t, state)
				damaged := slices.Clone(wal)
				damaged[at] ^= 0x10
				rewrite(t, fs, name, damaged)
				_, err := pebblelog.Open("log", onFS(fs))
				var damage *pebblelog.CorruptionError
				require.ErrorAs(t, err, &damage, "%s: a flip at %d, in chunk %d of %d, went unnoticed", what, at, i, len(chunks))
				require.Equal(t, name, damage.File)
				require.Equal(t, int64(start), damage.Offset)
			}
		}
	}
	require.Len(t, all, 240)
}

// TestDamagedFilesAreNeverReadAsSomethingElse flips bytes all over the files of a log: each
// time the log either says that it is damaged, or is as it was.
func TestDamagedFilesAreNeverReadAsSomethingElse(t *testing.T) {
	t.Parallel()
	_, closed, all := written(t, 400)
	l, err := pebblelog.Open("log", onFS(closed)) // moves everything from the WAL to tables
	require.NoError(t, err)
	require.NoError(t, l.Close())
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	noticed := map[string]int{}
	// Few flips in tables: Pebble searches for the flipped bit, half a second each time.
	for kind, flips := range map[string]int{".sst": 8, "MANIFEST": 40} {
		for _, name := range files(t, closed, kind) {
			good := content(t, closed, name)
			for range flips {
				at := random.IntN(len(good))
				fs := copyOf(t, closed)
				damaged := slices.Clone(good)
				damaged[at] ^= 1 << random.IntN(8)
				rewrite(t, fs, name, damaged)
				if readsDamage(t, fs, all) {
					noticed[kind]++
					report, err := pebblelog.VerifyConfig(t.Context(), "log", onFS(fs))
					require.True(t, err != nil || len(report.Problems) > 0, "Verify finds nothing at %s:%d", name, at)
				}
			}
		}
	}
	require.Positive(t, noticed[".sst"])
	require.Positive(t, noticed["MANIFEST"])
}

// readsDamage opens and reads the log; what it reads must be the truth, up to where it
// reports damage.
func readsDamage(t *testing.T, fs vfs.FS, truth []domain.Recorded) bool {
	t.Helper()
	l, err := pebblelog.Open("log", onFS(fs))
	if err != nil {
		return true
	}
	defer l.Close()
	i := 0
	for e, err := range l.ReadAll(t.Context(), 0, domain.Filter{}) {
		if err != nil {
			require.ErrorIs(t, err, pebblelog.ErrCorrupt)
			var damage *pebblelog.CorruptionError
			require.ErrorAs(t, err, &damage)
			require.Positive(t, damage.Position)
			return true
		}
		require.Equal(t, truth[i], e)
		i++
	}
	require.Equal(t, len(truth), i, "events are missing and nothing was said")
	for s := range 7 {
		want := uint64(0)
		for e, err := range l.ReadStream(t.Context(), fmt.Sprintf("s-%d", s), 0) {
			if err != nil {
				require.ErrorIs(t, err, pebblelog.ErrCorrupt)
				return true
			}
			require.Equal(t, want, e.Revision)
			want++
		}
		if i := slices.IndexFunc(truth, func(e domain.Recorded) bool { return e.Stream == fmt.Sprintf("s-%d", s) && e.Revision == want }); i >= 0 {
			t.Fatalf("stream s-%d ends at %d without a word", s, want)
		}
	}
	return false
}

func TestPowerCutAtAnyTimeLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	fs := vfs.NewCrashableMem()
	var states []*vfs.MemFS
	var acked []int
	l, err := pebblelog.Open("log", onFS(fs))
	require.NoError(t, err)
	for i := range 150 {
		_, err := l.Append(t.Context(), "s", domain.Expected(2*i-1), eventsOf(2, 20_000)...)
		require.NoError(t, err)
		if i%10 == 3 {
			states = append(states, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(seed, uint64(i)))}))
			acked = append(acked, 2*(i+1))
		}
	}
	require.NoError(t, l.Close())
	for i, state := range states {
		l, err := pebblelog.Open("log", onFS(state))
		require.NoError(t, err)
		require.Len(t, readAll(t, l), acked[i])
		report, err := l.Check(t.Context())
		require.NoError(t, err)
		require.Empty(t, report.Problems)
		require.NoError(t, l.Close())
	}
}
