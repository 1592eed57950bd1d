package program

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/domain"
)

// TestWhatIsRefusedLeavesNoTrace has commands that are wrong, or about something that is not there,
// in a directory that does not exist: a misspelt one must not come into being.
func TestWhatIsRefusedLeavesNoTrace(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), filepath.Join(t.TempDir(), "misspelt")
	for _, args := range [][]string{
		{"start", "nope"}, {"start", "calc", "-d", `"text"`}, {"start", "calc", "-d", `{"n": 1}`, "--key", strings.Repeat("k", 501)}, {"invoke", "nope"}, {"invoke", "double", "-d", "[]"},
		{"emit", "run.started.v1"}, {"emit", ""}, {"emit", "a.b", "--stream", "atone-x"},
		{"cancel", "calc:x"}, {"retry", "calc:x"}, {"resolve", "calc:x", "--skip", "-r", "r"}, {"abandon", "calc:x", "-r", "r"}, {"signal", "calc:x", "go"},
		{"bulk", "cancel", "--all", "-r", "x", "--yes"}, {"runs"}, {"audit"}, {"audit", "calc:x", "--follow"}, {"export"}, {"stats"}, {"incidents"}, {"why", "calc:x"}, {"undo-preview", "calc:x"}, {"explore", "calc:x"},
		{"projections", "status"}, {"projections", "rebuild", "runs"}, {"audit", "verify", "--all"},
		{"token", "list"}, {"token", "revoke", "kim"}, {"token", "create", "bad name", "--scope", "read"}, {"token", "create", "kim", "--scope", "write"},
		{"serve", "--http", "localhost"}, {"serve", "--http", "127.0.0.1:0", "--tls-cert", "c.pem"}, {"serve", "--views", "mysql://x"}, {"serve", "--alert-webhook", "::"},
	} {
		out, errs, code := prog(t, app, dir, args...)
		require.NotZero(t, code, "%v", args)
		require.NotContains(t, []Exit{ExitTampered, ExitUnreachable}, code, "%v: %s", args, errs)
		require.Empty(t, out, "%v", args)
		require.NotContains(t, errs, "no such runs", "%v: an error is no empty list", args)
		if args[0] == "serve" { // it opens the log before its services look at it
			require.Equal(t, ExitUsage, code, "%v: %s", args, errs)
			require.NoDirExists(t, filepath.Join(dir, "views"))
			require.NoError(t, os.RemoveAll(dir))
			continue
		}
		require.NoDirExists(t, dir, "%v", args)
	}
}

// TestServeFindsOutWhatKeepsItFromServingBeforeAnyRunGoesOn has runs that would be done if they
// were taken up.
func TestServeFindsOutWhatKeepsItFromServingBeforeAnyRunGoesOn(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	app, dir := testApp(), t.TempDir()
	out, errs, code := prog(t, app, dir, "start", "patient", "-d", `{"n": 1}`, "--key", "p", "--wait", "--timeout", "100ms")
	require.Equal(t, ExitUnfinished, code, out+errs)
	_, errs, code = prog(t, app, dir, "signal", "patient:none", "more")
	require.Equal(t, ExitNotFound, code, errs)
	before := logEnd(t, dir)
	for _, c := range []struct {
		says string
		code Exit
		args []string
	}{
		{"stop what listens there, or give another address", ExitError, []string{"--http", taken.Addr().String()}},
		{"write HOST:PORT", ExitUsage, []string{"--http", "localhost"}},
		{"token create", ExitUsage, []string{"--http", "0.0.0.0:0"}},
		{"token create", ExitUsage, []string{"--http", "127.0.0.1:0", "--require-token"}},
		{"go together", ExitUsage, []string{"--http", "127.0.0.1:0", "--tls-key", "key.pem"}},
		{"no such file", ExitUsage, []string{"--http", "127.0.0.1:0", "--tls-key", "key.pem", "--tls-cert", "cert.pem"}},
	} {
		_, errs, code := prog(t, app, dir, append([]string{"serve"}, c.args...)...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.says, "%v", c.args)
		require.Equal(t, before, logEnd(t, dir), "%v: nothing was done", c.args)
	}
}

// TestExpiredTokensDoNotOpenAServer guards against a server that asks nobody for a token once the
// last one has expired.
func TestExpiredTokensDoNotOpenAServer(t *testing.T) {
	t.Parallel()
	app, dir := testApp(), t.TempDir()
	log, err := pebblelog.Open(host.LogDir(dir), pebblelog.Config{})
	require.NoError(t, err)
	past := auth.NewTokens(log, func() time.Time { return time.Now().Add(-time.Hour) })
	_, _, err = past.Create(t.Context(), auth.Spec{Name: "kim", Scopes: []auth.Scope{auth.Admin}, Expires: time.Now().Add(-time.Minute)})
	require.NoError(t, err)
	require.NoError(t, log.Close())
	_, errs, code := prog(t, app, dir, "serve", "--http", "127.0.0.1:0")
	require.Equal(t, ExitError, code)
	require.Contains(t, errs, "every token has expired")
}

// logEnd is the position of the last event in the directory's log.
func logEnd(t *testing.T, dir string) domain.Position {
	t.Helper()
	log, err := pebblelog.Open(host.LogDir(dir), pebblelog.Config{})
	require.NoError(t, err)
	defer log.Close()
	for e, err := range log.ReadAllBackward(t.Context(), domain.EndPosition, domain.Filter{}) {
		require.NoError(t, err)
		return e.Position
	}
	return 0
}

func TestFollowingARunThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		r.ok(t, "start", "calc", "-d", `{"n": 1}`)
		_, errs, code := r("audit", "calc:none", "--follow")
		require.Equal(t, ExitNotFound, code, errs)
	})
}

func TestAStuckRunIsToldToProgramsWithItsIncident(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		out, errs, code := r("start", "calc", "-d", `{"n": 666}`, "--wait", "-o", "json")
		require.Equal(t, ExitStuck, code, errs)
		var got wire.Result
		require.NoError(t, json.Unmarshal([]byte(out), &got), out)
		require.Equal(t, "double", got.Step)
		require.NotEmpty(t, got.Incident)
		require.Equal(t, "it can't be halved", got.Cause.Message)

		_, errs, code = r("resolve", got.Run.String(), "double", "--substitute", "{}", "--yes")
		require.Equal(t, ExitUsage, code, "an undo has no output: %s", errs)
		_, errs, code = r("projections", "rebuild", "nothing")
		require.NotZero(t, code)
		require.NotContains(t, errs, "run's id")
		_, errs, code = r("token", "revoke", "nobody")
		require.Equal(t, ExitNotFound, code)
		require.Contains(t, errs, "`prog token list`")
	})
}
