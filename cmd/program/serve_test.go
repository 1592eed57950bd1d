package program

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// eventually waits for what nothing tells of: what another goroutine prints, or a server answers.
func eventually(t testing.TB, cond func() bool, why ...any) {
	t.Helper()
	require.Eventually(t, cond, 2*time.Minute, 5*time.Millisecond, why...)
}

// serving runs `serve` on a free port until the test ends, and returns its address.
func serving(t *testing.T, app App, dir string, args ...string) (url string, log *lockedBuffer, stop func()) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	log = new(lockedBuffer)
	ended := make(chan Exit, 1)
	go func() {
		ended <- Run(ctx, app, append([]string{"serve", "--data", dir, "--http", "127.0.0.1:0"}, args...), Streams{Out: log, Err: log})
	}()
	stop = sync.OnceFunc(func() {
		interrupt()
		require.Equal(t, ExitOK, <-ended, log.String())
	})
	t.Cleanup(stop)
	address := regexp.MustCompile(`HTTP API listens" address=(\S+) tls=\S+ authentication=\S+ page=https?://\S+/\n`)
	eventually(t, func() bool { return address.MatchString(log.String()) })
	return "http://" + address.FindStringSubmatch(log.String())[1], log, stop
}

func TestAProgramsTriggersStartItsSagas(t *testing.T) {
	t.Parallel()
	app := testApp()
	s, ok := app.Sagas[0].(*saga.Saga[payload, payload])
	require.True(t, ok)
	app.Triggers = []saga.AnyTrigger{&saga.Trigger[payload, payload]{Type: "number-found", Saga: s}}
	url, _, _ := serving(t, app, t.TempDir())
	_, errs, code := remotely(t, "emit", "number-found", "-d", `{"n": 21}`, "--server", url)
	require.Equal(t, ExitOK, code, errs)
	eventually(t, func() bool {
		out, errs, code := remotely(t, "runs", "--state", "completed", "-o", "json", "--server", url)
		if code == ExitUnreachable { // the views are not there yet
			return false
		}
		require.Equal(t, ExitOK, code, errs)
		var page wire.Page[wire.RunItem]
		require.NoError(t, json.Unmarshal([]byte(out), &page))
		return len(page.Items) == 1 && page.Items[0].Saga == "calc"
	})
}

// TestAServerWritesNothingOfSagasThatNobodyRuns: a log that apps share should hold what happened,
// and no more.
func TestAServerWritesNothingOfSagasThatNobodyRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, _, stop := serving(t, testApp(), dir, "--esdb-listen", "127.0.0.1:0")
	stop()
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{})
	require.NoError(t, err)
	defer log.Close()
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(e.Stream, "$"), "%s: %s", e.Stream, e.Type)
	}
}

func TestAnOpenServerSaysHowTheFirstTokenIsMade(t *testing.T) {
	t.Parallel()
	url, _, _ := serving(t, testApp(), t.TempDir())
	for _, args := range [][]string{{"token", "list"}, {"token", "create", "kim", "--scope", "read"}, {"token", "revoke", "kim"}} {
		_, errs, code := remotely(t, append(args, "--server", url)...)
		require.Equal(t, ExitError, code, args)
		require.Contains(t, errs, "make the first one on its data directory", args)
	}
}

// get reads what the server has at the address.
func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", raw)
	return string(raw)
}

func TestServeSaysThatItWaitsForAClusterThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"serve", "--http", "127.0.0.1:0", "--node", "a", "--views", "postgres://nowhere"}, {"token", "create", "kim", "--scope", "read"}} {
		ctx, interrupt := context.WithCancel(t.Context())
		var said lockedBuffer
		ended := make(chan Exit, 1)
		go func() {
			ended <- Run(ctx, testApp(), append(args, "--log", "esdb://127.0.0.1:1?tls=false"), Streams{Out: &said, Err: &said})
		}()
		eventually(t, func() bool { return strings.Contains(said.String(), "waiting for it") })
		interrupt()
		require.Equal(t, ExitInterrupted, <-ended, said.String())
	}
}

func TestAServerSaysWhichRunsNeedCodeThatItLacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url, _, stop := serving(t, testApp(), dir)
	_, errs, code := remotely(t, "start", "patient", "-d", `{"n": 1}`, "--key", "old", "--server", url)
	require.Equal(t, ExitOK, code, errs)
	stop()
	newer := testApp()
	newer.Sagas = newer.Sagas[:1]
	_, log, _ := serving(t, newer, dir)
	eventually(t, func() bool {
		return strings.Contains(log.String(), "1 unfinished run needs patient v1, which this program lacks")
	}, "%s", log)
}

// TestCommandsOfEmptyPagesWork as they are copied: to a shell, with the program's own name.
func TestCommandsOfEmptyPagesWork(t *testing.T) {
	t.Parallel()
	url, _, _ := serving(t, testApp(), t.TempDir())
	command := regexp.MustCompile(`<p class="command"><code>([^<]*)</code>`)
	for _, page := range []string{"incidents", "incidents?state=resolved", "incidents?state=snoozed", "events", "runs"} {
		var found [][]byte
		eventually(t, func() bool { // until the views are built
			resp, err := http.Get(url + "/ui/" + page) //nolint:noctx // the server ends with the test
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			found = command.FindSubmatch(body)
			return err == nil && found != nil
		}, page)
		words, err := exec.CommandContext(t.Context(), "sh", "-c", `prog() { printf '%s\0' "$@"; }; `+html.UnescapeString(string(found[1]))).Output()
		require.NoError(t, err, page)
		_, errs, code := remotely(t, strings.Split(strings.TrimSuffix(string(words), "\x00"), "\x00")...)
		require.Equal(t, ExitOK, code, "%s: %s: %s", page, found[1], errs)
	}
}
