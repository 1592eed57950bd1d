package pebblelog_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

// TestDamageNamesTheFile damages every file of a log in several ways: the log is whole all the
// same, or the error names the file.
func TestDamageNamesTheFile(t *testing.T) {
	t.Parallel()
	_, closed, all := written(t, 400)
	l, err := pebblelog.Open("log", onFS(closed)) // moves everything from the WAL to tables
	require.NoError(t, err)
	require.NoError(t, l.Close())
	names, err := closed.List("log")
	require.NoError(t, err)
	told := map[string]bool{}
	for _, name := range names {
		good := content(t, closed, name)
		flipped := bytes.Clone(good)
		for i := 40; i < 60 && i < len(flipped); i++ {
			flipped[i] ^= 0x55
		}
		for what, hurt := range map[string][]byte{
			"emptied": {}, "halved": good[:len(good)/2], "zeroed": make([]byte, len(good)), "flipped": flipped,
			"overwritten": []byte(strings.Repeat("\x00x", len(good)/2+1)), "removed": nil,
		} {
			fs := copyOf(t, closed)
			if hurt == nil {
				require.NoError(t, fs.Remove("log/"+name))
			} else {
				rewrite(t, fs, name, hurt)
			}
			if err := damageIn(t, fs, all); err != nil {
				kind, _, _ := strings.Cut(name, "-")
				named := name
				// its whole name is no longer known
				if what == "removed" && strings.HasPrefix(name, "marker.") {
					named, _, _ = strings.Cut(name, ".0")
				}
				require.ErrorContains(t, err, named, "%s was %s", name, what)
				require.Less(t, len(err.Error()), 900, "%s was %s", name, what)
				told[strings.TrimLeft(kind, "0123456789")] = true
			}
		}
	}
	for _, kind := range []string{"MANIFEST", "OPTIONS", ".sst", "FORMAT", "MARK"} {
		require.True(t, told[kind], "%s was damaged in six ways, and nothing said so", kind)
	}
}

// damageIn opens and reads the log, which must be whole or say what is wrong.
func damageIn(t *testing.T, fs *vfs.MemFS, truth []domain.Recorded) error {
	t.Helper()
	l, err := pebblelog.Open("log", onFS(fs))
	if err != nil {
		require.True(t, errors.Is(err, pebblelog.ErrCorrupt) || errors.Is(err, pebblelog.ErrNotALog), "%v", err)
		return err
	}
	defer l.Close()
	var got []domain.Recorded
	for e, err := range l.ReadAll(t.Context(), 0, domain.Filter{}) {
		if err != nil {
			require.ErrorIs(t, err, pebblelog.ErrCorrupt)
			return err
		}
		got = append(got, e)
	}
	require.Equal(t, truth, got)
	return nil
}
