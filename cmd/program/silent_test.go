package program

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
)

// hungServer is a server that takes requests and does not answer them before it is woken; it then
// deals with them, also with those whose callers went away.
func hungServer(t *testing.T) (at []string, asked *lockedBuffer, wake func()) {
	t.Helper()
	server, tokens := testServer(t)
	to, err := url.Parse(server)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ErrorLog: log.New(io.Discard, "", 0)}
	asked = new(lockedBuffer)
	awake := make(chan struct{})
	wake = sync.OnceFunc(func() { close(awake) })
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		_, _ = io.WriteString(asked, r.Method+" "+r.URL.Path+"\n")
		<-awake
		ctx, done := context.WithCancel(context.WithoutCancel(r.Context()))
		defer done()
		forward.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(between.Close)
	t.Cleanup(wake)
	return []string{"--server", between.URL, "--token", testToken(t, tokens, "tester", auth.Admin)}, asked, wake
}

// TestAnActThatIsInterruptedMayHaveBeenDone, and the command says so, and how to find out.
func TestAnActThatIsInterruptedMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	at, asked, wake := hungServer(t)
	interrupted := func(arrives string, line ...string) string {
		t.Helper()
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		var out lockedBuffer
		ended := make(chan Exit, 1)
		go func() { ended <- Run(ctx, App{Name: "prog"}, append(line, at...), Streams{Out: &out, Err: &out}) }()
		require.Eventually(t, func() bool { return strings.Contains(asked.String(), arrives) }, time.Minute, time.Millisecond, arrives)
		interrupt()
		require.Equal(t, ExitInterrupted, <-ended, out.String())
		require.NotContains(t, out.String(), "Post ")
		return out.String()
	}
	text := interrupted("POST /sagas/patient/runs", "start", "patient", "-d", `{"n": 1}`, "--wait")
	require.Regexp(t, `^prog: interrupted: run [-0-9a-f]{36} may have started\nnext: `, text)
	require.NotContains(t, text, `{"n": 1}`, "a payload may hold secrets")
	found := regexp.MustCompile("`prog show ([-0-9a-f]{36}) .*give the command again with --key (once-[0-9a-f]{32}), which starts it only if it has not started").FindStringSubmatch(text)
	require.NotNil(t, found, text)
	for act, line := range map[string]string{"retry": "retry calc:evil", "signal": "signal patient:calm more"} {
		text := interrupted("/"+act, strings.Fields(line)...)
		require.Contains(t, text, "interrupted: it may have been done\nnext: `prog audit ", line)
	}
	require.Contains(t, interrupted("GET /runs\n", "runs"), "prog: interrupted\nnext: give the command again")

	wake()
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	require.Eventually(t, func() bool {
		_, _, code := r("show", found[1])
		return code == ExitOK
	}, time.Minute, 10*time.Millisecond, "it has started")
	require.Equal(t, found[1]+"\n", r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", found[2]), "and is not started twice")
}

// TestAServerThatDoesNotAnswerIsSaid while the command goes on waiting.
func TestAServerThatDoesNotAnswerIsSaid(t *testing.T) {
	t.Parallel()
	at, _, wake := hungServer(t)
	for i, c := range []struct{ line, says string }{
		{"start patient --key k", "the server has not answered for 5s; ctrl-C stops waiting, run "},
		{"runs", "the server has not answered for 5s; ctrl-C stops waiting, nothing is lost\n"},
	} {
		var errs lockedBuffer
		ended := make(chan Exit, 1)
		go func() {
			line := strings.Fields(c.line)
			if i == 0 {
				line = append(line, "-d", `{"n": 1}`)
			}
			ended <- Run(t.Context(), App{Name: "prog"}, append(line, at...), Streams{Out: io.Discard, Err: &errs})
		}()
		require.Eventually(t, func() bool { return strings.Contains(errs.String(), c.says) }, time.Minute, time.Millisecond, c.line)
		if i > 0 {
			wake()
			require.Equal(t, ExitOK, <-ended, errs.String())
		}
	}
}

func TestErrorsOfConnectionsDoNotSpeakHTTP(t *testing.T) {
	t.Parallel()
	_, errs, code := remotely(t, "runs", "--server", "http://127.0.0.1:1")
	require.Equal(t, ExitUnreachable, code)
	require.Regexp(t, `^prog: no server answers at http://127.0.0.1:1: [^\n]*connection refused\nnext: check --server`, errs)
	server, _ := testServer(t)
	_, errs, code = remotely(t, "runs", "--server", server)
	require.Equal(t, ExitDenied, code)
	require.Equal(t, "prog: the server wants a token, and none is given\nnext: give a valid token in ATONE_TOKEN or --token; an admin makes one with `token create`\n", errs)
	_, errs, _ = remotely(t, "runs", "--server", "foo")
	require.Contains(t, errs, "next: --server, or ATONE_SERVER in the environment, says where the server is")
}
