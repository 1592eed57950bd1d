package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

// commandLine runs command lines somewhere, as "tester".
type commandLine func(args ...string) (stdout, stderr string, code Exit)

// ok runs a command line that must go well and returns what it wrote.
func (r commandLine) ok(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := r(args...)
	require.Equal(t, ExitOK, code, "%v: %s%s", args, out, errs)
	return out
}

// everywhere runs a test on a data directory and through a server's API: what commands say is the
// same.
func everywhere(t *testing.T, test func(t *testing.T, r commandLine)) {
	t.Helper()
	t.Run("on a directory", func(t *testing.T) {
		t.Parallel()
		app, dir := testApp(), t.TempDir()
		test(t, func(args ...string) (string, string, Exit) { return prog(t, app, dir, args...) })
	})
	t.Run("through a server", func(t *testing.T) {
		t.Parallel()
		url, tokens := testServer(t)
		secret := testToken(t, tokens, "tester", auth.Admin)
		test(t, func(args ...string) (string, string, Exit) {
			return remotely(t, append(args, "--server", url, "--token", secret)...)
		})
	})
}

// remotely runs a command line of a program that has no sagas itself.
func remotely(t *testing.T, args ...string) (stdout, stderr string, code Exit) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), App{Name: "prog"}, args, Streams{In: strings.NewReader(`{"n": 4}`), Out: &out, Err: &errs})
	return out.String(), errs.String(), code
}

func testToken(t *testing.T, tokens *auth.Tokens, name string, scopes ...auth.Scope) string {
	t.Helper()
	_, secret, err := tokens.Create(t.Context(), auth.Spec{Name: name, Scopes: scopes, By: "test"})
	require.NoError(t, err)
	return secret
}

// testServer serves the test's app over HTTP, asking for tokens.
func testServer(t *testing.T, adjust ...func(*httpapi.Config)) (url string, tokens *auth.Tokens) {
	t.Helper()
	log, quiet := memlog.New(), slog.New(slog.DiscardHandler)
	app := testApp()
	c, err := app.program().Coordinator(saga.Config{Log: log, Logger: quiet})
	require.NoError(t, err)
	store, err := sqlite.Open(sqlite.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	runner, err := runner.New(runner.Config{Source: log, Store: store, Logger: quiet, Linger: -1, Views: views.All()})
	require.NoError(t, err)
	tokens = auth.NewTokens(log, nil)
	cfg := httpapi.Config{Coordinator: c, Views: views.Of(runner.Reader()), Projections: runner, Log: log, Logger: quiet, Tokens: tokens}
	for _, f := range adjust {
		f(&cfg)
	}
	srv, err := httpapi.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	for _, run := range []func(context.Context) error{c.Run, runner.Run, srv.Follow} {
		go func() { ended <- run(ctx) }()
	}
	<-c.Ready()
	server := httptest.NewServer(upToDate{srv, log})
	t.Cleanup(func() {
		server.Close()
		cancel()
		for range 3 {
			require.NoError(t, <-ended)
		}
		require.NoError(t, store.Close())
		require.NoError(t, log.Close())
	})
	return server.URL, tokens
}

// upToDate has lists wait until the views stand where the log does, so that tests see what they
// did.
type upToDate struct {
	next http.Handler
	log  *memlog.Log
}

// ServeHTTP implements [http.Handler].
func (u upToDate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.Path; r.Method == http.MethodGet && (path == "/runs" || path == "/audit" || path == "/incidents" || path == "/incident-groups" || path == "/stats") {
		for e, err := range u.log.ReadAllBackward(r.Context(), domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			q := r.URL.Query()
			q.Set("at_least", fmt.Sprint(e.Position))
			r.URL.RawQuery = q.Encode()
			break
		}
	}
	u.next.ServeHTTP(w, r)
}

// noServer returns the error of asking a server that is not there.
func noServer(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := client.New(client.Config{Server: "http://127.0.0.1:1", Retries: -1})
	require.NoError(t, err)
	_, err = c.Runs(ctx, runs.Filter{})
	require.Error(t, err)
	return err
}

const fourRuns = 4

// withRuns starts one run of each kind: calc:good completed, calc:dear was undone, calc:evil is
// stuck, patient:calm waits.
func withRuns(t *testing.T, r commandLine) {
	t.Helper()
	r.ok(t, "start", "calc", "-d", `{"n": 21, "secret": "hush"}`, "--key", "good", "-l", "team=red", "--wait", "-q")
	_, errs, code := r("start", "calc", "-d", `{"n": 60}`, "--key", "dear", "--wait", "-q")
	require.Equal(t, ExitCompensated, code, errs)
	_, errs, code = r("start", "calc", "-d", `{"n": 666}`, "--key", "evil", "--wait", "-q")
	require.Equal(t, ExitStuck, code, errs)
	r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "calm", "-l", "team=blue")
	// Its await may still be to come: a signal that nobody waits for, and the wait for it, show
	// that it is there.
	_, _, code = r("signal", "patient:calm", "other", "--keep", "--wait", "--timeout", "50ms")
	require.Equal(t, ExitUnfinished, code)
}

// items reads a page of JSON.
func items[T any](t *testing.T, text string) wire.Page[T] {
	t.Helper()
	var page wire.Page[T]
	require.NoError(t, json.Unmarshal([]byte(text), &page), text)
	return page
}

// TestListsAskForTheLatest, so that a person sees what they just did.
func TestListsAskForTheLatest(t *testing.T) {
	t.Parallel()
	var asked lockedBuffer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(&asked, "%s %s\n", r.URL.Path, r.URL.Query().Get("latest"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"items":[]}`)
	}))
	defer server.Close()
	for _, command := range []string{"runs", "audit", "incidents"} {
		_, errs, code := remotely(t, command, "--server", server.URL)
		require.Equal(t, ExitOK, code, errs)
	}
	require.Equal(t, "/runs true\n/audit true\n/incident-groups true\n", asked.String())
}
