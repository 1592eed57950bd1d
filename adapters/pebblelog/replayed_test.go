package pebblelog_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// TestALostOlderWALIsNamed damages the write-ahead logs of an unclean stop before the newest: the
// log's end is as it was, and what lay before it is gone.
func TestALostOlderWALIsNamed(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	cfg := onFS(fs)
	cfg.MemTableBytes = 64 << 20 // the first memtables are small, and wait to be written together
	cfg.MarkSoon(time.Millisecond)
	l, err := pebblelog.Open("log", cfg)
	require.NoError(t, err)
	var last domain.Appended
	for i := range 1000 {
		last, err = l.Append(t.Context(), "s", domain.Expected(2*i-1), eventsOf(2, 1000)...)
		require.NoError(t, err)
	}
	marked(t, fs, last.Position)
	killed := fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, l.Close())
	wals := files(t, killed, ".log")
	slices.Sort(wals)
	require.GreaterOrEqual(t, len(wals), 3, "%v", wals)

	l, err = pebblelog.Open("log", onFS(copyOf(t, killed)))
	require.NoError(t, err, "nothing is wrong with the log")
	require.NoError(t, l.Close())
	for _, name := range wals[:len(wals)-1] {
		wal := content(t, killed, name)
		flipped := slices.Clone(wal)
		flipped[len(wal)/2] ^= 1
		t.Run(name+" removed, and no mark", func(t *testing.T) {
			fs := copyOf(t, killed)
			require.NoError(t, fs.Remove("log/"+name))
			require.NoError(t, fs.Remove("log/MARK"))
			_, err := pebblelog.Open("log", onFS(fs))
			require.ErrorContains(t, err, "are missing, and later ones are there")
		})
		for what, rest := range map[string][]byte{"removed": nil, "emptied": {}, "cut": wal[:len(wal)/2], "flipped": flipped, "zeroed": make([]byte, len(wal))} {
			t.Run(name+" "+what, func(t *testing.T) {
				fs := copyOf(t, killed)
				if rest == nil {
					require.NoError(t, fs.Remove("log/"+name))
				} else {
					rewrite(t, fs, name, rest)
				}
				before, err := fs.List("log")
				require.NoError(t, err)
				_, err = pebblelog.Open("log", onFS(fs))
				var damage *pebblelog.CorruptionError
				require.ErrorAs(t, err, &damage)
				if rest != nil {
					require.Equal(t, name, damage.File, "%v", err)
				} else {
					require.Positive(t, damage.Position)
					require.ErrorContains(t, err, "are missing, and later ones are there")
				}
				after, err := fs.List("log")
				require.NoError(t, err)
				require.ElementsMatch(t, before, after, "nothing was written")
			})
		}
	}
}
