package program

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/domain"
)

// meddle appends an event to a run behind its coordinator's back.
func meddle(t *testing.T, dir string, id domain.RunID) {
	t.Helper()
	log, err := pebblelog.Open(host.LogDir(dir), pebblelog.Config{})
	require.NoError(t, err)
	_, err = log.Append(t.Context(), domain.RunStream(id), domain.StreamExists,
		domain.NewEvent{ID: uuid.New(), Type: "run.paused.v1", Data: []byte(`{"reason":"mischief"}`), Metadata: []byte(`{}`)})
	require.NoError(t, err)
	require.NoError(t, log.Close())
}

func TestTamperingIsNamed(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	keys := t.TempDir()
	private, public, anchor := filepath.Join(keys, "private"), filepath.Join(keys, "public"), filepath.Join(keys, "anchor")
	do := doing(t, app, dir)
	do(ExitOK, "start", "calc", "-d", `{"n": 1}`, "--key", "one", "--wait")
	do(ExitOK, "start", "calc", "-d", `{"n": 2}`, "--key", "two", "--wait")
	require.Contains(t, do(ExitOK, "audit", "verify", "--all"), "of 2 runs are as they were written")
	require.Contains(t, do(ExitOK, "audit", "verify", "calc:one"), "of 1 runs")
	do(ExitNotFound, "audit", "verify", "calc:none")

	out, _, code := prog(t, app, dir, "audit", "keygen", private)
	require.Equal(t, ExitOK, code)
	require.NoError(t, os.WriteFile(public, []byte(out), 0o600))
	info, err := os.Stat(private)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "nobody else reads the private key")
	require.Contains(t, do(ExitUsage, "audit", "keygen", private), "exists")
	require.Contains(t, do(ExitUsage, "audit", "anchor", "--key", public), "sign with the private one")
	require.Contains(t, do(ExitOK, "audit", "anchor", "--key", private, "--out", anchor), "vouches for 2 runs")
	require.Contains(t, do(ExitOK, "audit", "verify", "--all", "--anchor", anchor, "--key", public), "vouched for")
	do(ExitOK, "audit", "keygen", filepath.Join(keys, "other"))
	require.Contains(t, do(ExitError, "audit", "verify", "--all", "--anchor", anchor, "--key", filepath.Join(keys, "other")), "signature does not match")

	meddle(t, dir, domain.RunIDForKey("calc", "one"))
	require.Contains(t, do(ExitTampered, "audit", "verify", "--all"), "run.paused.v1")
	require.Contains(t, do(ExitTampered, "audit", "verify", "calc:one"), "it does not follow from the event before it")
	do(ExitOK, "audit", "verify", "calc:two")
	require.Contains(t, do(ExitTampered, "audit", "anchor", "--key", private), "1 findings", "what is wrong is not signed")
	out, _, code = prog(t, app, dir, "audit", "verify", "--all", "-o", "json")
	require.Equal(t, ExitTampered, code)
	var v struct {
		OK       bool `json:"ok"`
		Findings []struct{ Stream, Problem string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &v), out)
	require.False(t, v.OK)
	require.Equal(t, domain.RunStream(domain.RunIDForKey("calc", "one")), v.Findings[0].Stream)

	// Another log has none of the runs that the anchor vouches for.
	empty := t.TempDir()
	_, _, code = prog(t, app, empty, "start", "calc", "-d", `{"n": 1}`, "--wait")
	require.Equal(t, ExitOK, code)
	out, errs, code := prog(t, app, empty, "audit", "verify", "--all", "--anchor", anchor, "--key", strings.TrimSpace(mustRead(t, public)))
	require.Equal(t, ExitTampered, code, out+errs)
	require.Contains(t, out, "the anchor vouches for it")
}

func mustRead(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(raw)
}

func TestLogsAreVerifiedOverTheEventStoreDBProtocol(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	_, errs, code := prog(t, app, dir, "start", "calc", "-d", `{"n": 1}`, "--key", "one", "--wait")
	require.Equal(t, ExitOK, code, errs)
	meddle(t, dir, domain.RunIDForKey("calc", "one"))

	log, err := pebblelog.Open(host.LogDir(dir), pebblelog.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	server, err := esdbtest.Serve(esdbserver.Config{Log: log})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	at := server.Connection()
	for _, which := range []string{"--all", "calc:one"} {
		out, errs, code := remotely(t, "audit", "verify", which, "--log", at)
		require.Equal(t, ExitTampered, code, out+errs)
		require.Contains(t, out, "run.paused.v1")
	}
	_, errs, code = remotely(t, "audit", "verify", "--all", "--log", "nonsense")
	require.Equal(t, ExitUsage, code, errs)
}
