package pebblelog_test

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// marked waits until the mark of a log names the position.
func marked(t *testing.T, fs vfs.FS, position domain.Position) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Contains(string(content(t, fs, "MARK")), fmt.Sprintf("mark %d ", position))
	}, 30*time.Second, time.Millisecond)
}

// TestACutWALIsALossThatIsNamed cuts the newest write-ahead log of an unclean stop where it looks
// like the torn end that a power cut leaves.
func TestACutWALIsALossThatIsNamed(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	cfg := onFS(fs)
	cfg.MarkSoon(time.Millisecond)
	l, err := pebblelog.Open("log", cfg)
	require.NoError(t, err)
	var last domain.Appended
	for i := range 300 {
		last, err = l.Append(t.Context(), "s", domain.Expected(2*i-1), eventsOf(2, 5000)...)
		require.NoError(t, err)
	}
	marked(t, fs, last.Position)
	all := readAll(t, l)
	killed := fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, l.Close())

	name := slices.Max(files(t, killed, ".log"))
	wal := content(t, killed, name)
	for what, keep := range map[string]int{"a part": 51 << 10, "a block": 32 << 10, "nothing": 0, "not the file": -1} {
		t.Run(what, func(t *testing.T) {
			fs := copyOf(t, killed)
			lost := func(err error) domain.Position {
				var damage *pebblelog.CorruptionError
				require.ErrorAs(t, err, &damage)
				require.Equal(t, last.Position, damage.Through)
				require.NotEmpty(t, damage.File)
				require.ErrorContains(t, err, fmt.Sprintf("positions %d to %d", damage.Position, damage.Through))
				require.ErrorContains(t, err, damage.File)
				require.ErrorContains(t, err, "atone log accept-loss")
				return damage.Position
			}
			if keep >= 0 {
				rewrite(t, fs, name, wal[:keep])
			} else {
				require.NoError(t, fs.Remove("log/"+name))
			}
			before, err := fs.List("log")
			require.NoError(t, err)
			_, err = pebblelog.Open("log", onFS(fs))
			from := lost(err)
			report, err := pebblelog.VerifyConfig(t.Context(), "log", onFS(fs))
			require.NoError(t, err)
			require.Len(t, report.Problems, 1)
			require.Equal(t, from, report.Problems[0].Position)
			after, err := fs.List("log")
			require.NoError(t, err)
			require.ElementsMatch(t, before, after, "nothing was written")

			loss, err := pebblelog.AcceptLoss("log", onFS(fs))
			require.NoError(t, err)
			require.Equal(t, [2]domain.Position{from, last.Position}, [2]domain.Position{loss.From, loss.Through})
			again, err := pebblelog.AcceptLoss("log", onFS(fs))
			require.NoError(t, err)
			require.Zero(t, again)
			l, err := pebblelog.Open("log", onFS(fs))
			require.NoError(t, err)
			require.Equal(t, all[:from-1], readAll(t, l)[:from-1])
			require.Len(t, readAll(t, l), int(from-1))
			at, err := l.Append(t.Context(), "s", domain.AnyRevision, event(10))
			require.NoError(t, err)
			require.Equal(t, from, at.Position)
			require.NoError(t, l.Close())
		})
	}
}

// TestOneQuietEventIsMarked has nothing follow the event that is lost.
func TestOneQuietEventIsMarked(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	l, err := pebblelog.Open("log", onFS(fs))
	require.NoError(t, err)
	began := time.Now()
	at, err := l.Append(t.Context(), "s", domain.NoStream, event(100))
	require.NoError(t, err)
	marked(t, fs, at.Position)
	t.Logf("marked after %v", time.Since(began))
	killed := fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, l.Close())
	rewrite(t, killed, slices.Max(files(t, killed, ".log")), nil)
	_, err = pebblelog.Open("log", onFS(killed))
	require.ErrorIs(t, err, pebblelog.ErrCorrupt)
	require.ErrorContains(t, err, "at position 1")
}

// TestTheMarkOfAnEarlierVersionCounts opens what a program before this one left, damaged and whole.
func TestTheMarkOfAnEarlierVersionCounts(t *testing.T) {
	t.Parallel()
	_, closed, all := written(t, 40)
	require.NoError(t, closed.Remove("log/MARK"))
	text := func(position string) string {
		return fmt.Sprintf("%s %08x\n", position, crc32.Checksum([]byte(position), crc32.MakeTable(crc32.Castagnoli)))
	}
	for text, want := range map[string]string{text("80"): "", text("81"): "81", "80 77d271a8\n": "DURABLE", "": "DURABLE"} {
		fs := copyOf(t, closed)
		rewrite(t, fs, "DURABLE", []byte(text))
		l, err := pebblelog.Open("log", onFS(fs))
		if want != "" {
			require.ErrorIs(t, err, pebblelog.ErrCorrupt, "%q", text)
			require.ErrorContains(t, err, want)
			loss, err := pebblelog.AcceptLoss("log", onFS(fs))
			require.NoError(t, err)
			require.NotZero(t, loss)
			l, err = pebblelog.Open("log", onFS(fs))
			require.NoError(t, err)
			require.Equal(t, all, readAll(t, l))
			require.NoError(t, l.Close())
			continue
		}
		require.NoError(t, err)
		require.Equal(t, all, readAll(t, l))
		require.NoError(t, l.Close())
		require.Empty(t, files(t, fs, "DURABLE"))
	}
}

// TestPowerCutsRaiseNoFalseAlarm cuts the power 800 times, at any moment of a log under load whose
// mark follows it closely, with some of the unsynced data on the disk all the same: the log opens,
// and has all that was acknowledged.
func TestPowerCutsRaiseNoFalseAlarm(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const cuts, writers, cutsOfALife = 800, 4, 40
	random := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewCrashableMem()
	marks := map[domain.Position]bool{}
	for done := 0; done < cuts; {
		cfg := onFS(fs)
		cfg.MemTableBytes = 1 << 20
		cfg.MarkSoon(time.Duration(1 + random.IntN(200_000)))
		l, err := pebblelog.Open("log", cfg)
		require.NoError(t, err, "after %d cuts", done)
		var acked atomic.Uint64
		for _, e := range readAll(t, l) {
			acked.Store(uint64(e.Position))
		}
		stop := make(chan struct{})
		var load sync.WaitGroup
		for w := range writers {
			load.Go(func() {
				size := rand.New(rand.NewPCG(seed, uint64(done*writers+w)))
				for {
					select {
					case <-stop:
						return
					default:
					}
					at, err := l.Append(t.Context(), fmt.Sprintf("s-%d", w), domain.AnyRevision, eventsOf(1+size.IntN(3), size.IntN(4000))...)
					if err != nil {
						t.Errorf("append: %v", err)
						return
					}
					for old := acked.Load(); old < uint64(at.Position) && !acked.CompareAndSwap(old, uint64(at.Position)); old = acked.Load() {
					}
				}
			})
		}
		type cut struct {
			fs    *vfs.MemFS
			acked uint64
		}
		var states []cut
		for range cutsOfALife {
			// the load goes on; nothing is waited for
			time.Sleep(time.Duration(random.IntN(int(300 * time.Microsecond))))
			known := acked.Load()
			states = append(states, cut{fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: random}), known})
		}
		close(stop)
		load.Wait()
		require.NoError(t, l.Close())
		for _, state := range states {
			l, err := pebblelog.Open("log", onFS(state.fs))
			require.NoError(t, err, "cut %d", done)
			require.GreaterOrEqual(t, l.Stats().Durable, state.acked, "cut %d", done)
			require.NoError(t, l.Close())
			done++
		}
		fs = states[random.IntN(len(states))].fs // the next life begins after one of the cuts
		var p domain.Position
		if _, err := fmt.Sscanf(string(content(t, fs, "MARK")), "atone log mark %d", &p); err == nil {
			marks[p] = true
		}
	}
	require.Greater(t, len(marks), cuts/cutsOfALife/2, "the mark moved")
}
