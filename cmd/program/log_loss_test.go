package program

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/domain"
)

// The whole way of a person whose log lost its newest file: the words that name it, the remedy that
// they name, and lists that have no ghosts.
func TestALossIsNamedAcceptedAndRecorded(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	for _, key := range []string{"one", "two"} {
		_, errs, code := prog(t, app, dir, "start", "calc", "-d", `{"n": 1}`, "--key", key, "--wait")
		require.Equal(t, ExitOK, code, errs)
	}
	copied := filepath.Join(t.TempDir(), "log")
	// Opening it again moves its events to tables.
	require.NoError(t, os.CopyFS(copied, os.DirFS(host.LogDir(dir))))
	out, _, code := prog(t, app, dir, "runs")
	require.Equal(t, ExitOK, code)
	require.Contains(t, out, "two")
	out, _, code = prog(t, app, dir, "log", "accept-loss", "--reason", "just so", "--yes")
	require.Equal(t, ExitOK, code)
	require.Contains(t, out, "nothing is lost")
	require.NoError(t, os.RemoveAll(host.LogDir(dir)))
	require.NoError(t, os.CopyFS(host.LogDir(dir), os.DirFS(copied)))

	wals, err := filepath.Glob(filepath.Join(host.LogDir(dir), "*.log"))
	require.NoError(t, err)
	newest := wals[len(wals)-1]
	whole, err := os.ReadFile(newest)
	require.NoError(t, err)
	// The end of the last run is cut off where the end of a file that a power cut tore would be.
	cut := bytes.LastIndex(whole, []byte("run.completed.v1"))
	require.Positive(t, cut)
	require.NoError(t, os.WriteFile(newest, whole[:cut], 0o600))

	_, errs, code := prog(t, app, dir, "runs")
	require.Equal(t, ExitError, code)
	require.Contains(t, errs, filepath.Base(newest))
	require.Contains(t, errs, "log accept-loss")
	_, errs, code = prog(t, app, dir, "log", "accept-loss")
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs, "--reason")
	out, errs, code = prog(t, app, dir, "log", "accept-loss", "--reason", "no backup", "--yes")
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, out, "accepted as lost")

	log, err := pebblelog.Open(host.LogDir(dir), pebblelog.Config{})
	require.NoError(t, err)
	for e, err := range log.ReadStream(t.Context(), "atone-log", 0) {
		require.NoError(t, err)
		require.Contains(t, string(e.Data), `"actor":"tester","reason":"no backup"`)
	}
	require.True(t, domain.ReservedStream("atone-log"))
	require.NoError(t, log.Close())
	out, errs, code = prog(t, app, dir, "runs", "--state", "completed")
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, out, "one")
	require.NotContains(t, out, "two", "a row of what is lost")
	require.Contains(t, errs, "did not belong to this log")
}
