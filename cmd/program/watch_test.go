package program

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
)

// TestListsAreFollowed follows the runs and the audit through a server, as programs do and as
// people do.
func TestListsAreFollowed(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t)
	secret := testToken(t, tokens, "tester", auth.Admin)
	at := []string{"--server", url, "--token", secret}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "old")
	for _, c := range []struct {
		args []string
		// ready is seen first; where nothing is, the command says so.
		ready string
		want  []string
	}{
		{[]string{"runs", "--watch", "-o", "ndjson", "--state", "running", "--saga", "patient"}, `{"list":[{`, []string{`{"run":{`, `"key":"new"`, `{"gone":"`}},
		{[]string{"audit", "--follow", "-o", "ndjson", "--what", "run.paused,run.resumed"}, "", []string{`"what":"run.paused"`, `"note":"lunch"`}},
		{[]string{"audit", "--follow"}, "", []string{"patient  run.paused  by tester: lunch\n"}},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		var out lockedBuffer
		ended := make(chan Exit, 1)
		go func() {
			ended <- Run(ctx, App{Name: "prog"}, append(c.args, at...), Streams{Out: &out, Err: &out})
		}()
		seen := func(part string) {
			t.Helper()
			eventually(t, func() bool { return strings.Contains(out.String(), part) }, "%v: %s", c.args, part)
		}
		seen(c.ready)
		if c.ready != "" {
			r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "new")
			seen(c.want[0])
			r.ok(t, "cancel", "patient:new", "--yes")
		} else {
			// Nothing says that the stream has begun: what happens is repeated until it is told.
			eventually(t, func() bool {
				r.ok(t, "pause", "patient:old", "-r", "lunch")
				r.ok(t, "resume", "patient:old")
				return strings.Contains(out.String(), c.want[0])
			}, "%v", c.args)
		}
		for _, part := range c.want {
			seen(part)
		}
		interrupt()
		require.Equal(t, ExitOK, <-ended, "%v: an interrupt ends it: %s", c.args, out.String())
	}
}

// TestASilentServerIsSaid by everything that follows or waits, and that it answers again.
func TestASilentServerIsSaid(t *testing.T) {
	t.Parallel()
	server, tokens := testServer(t)
	to, err := url.Parse(server)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ErrorLog: log.New(io.Discard, "", 0)}
	var down atomic.Bool
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		forward.ServeHTTP(w, r)
	}))
	defer between.Close()
	at := []string{"--server", between.URL, "--token", testToken(t, tokens, "tester", auth.Admin)}
	m := newTerminal(t, 100, 20)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	outs := make([]lockedBuffer, 3)
	ended := make(chan Exit, 3)
	for i, line := range []string{"runs --watch", "audit --follow", "start patient -d {\"n\":1} --wait"} {
		streams := Streams{In: strings.NewReader(""), Out: &outs[i], Err: &outs[i]}
		if i == 0 {
			streams = Streams{In: m.program, Out: m.program, Err: m.program}
		}
		go func() { ended <- Run(ctx, App{Name: "prog"}, append(strings.Fields(line), at...), streams) }()
	}
	texts := []func() string{func() string { return plain(m.seen.String()) }, outs[1].String, outs[2].String}
	seen := func(i int, part string) {
		t.Helper()
		eventually(t, func() bool { return strings.Contains(texts[i](), part) }, "%d: %s", i, part)
	}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "old")
	seen(0, "2 runs, ctrl-C ends")
	seen(2, "for more")
	eventually(t, func() bool { // the stream has begun
		r.ok(t, "pause", "patient:old")
		r.ok(t, "resume", "patient:old")
		return strings.Contains(texts[1](), "run.paused")
	})
	down.Store(true)
	between.CloseClientConnections()
	for i := range texts {
		seen(i, "no answer since ")
		require.NotContains(t, texts[i](), "Get ", "the request is not what the person typed")
	}
	down.Store(false)
	seen(1, "the server answers again")
	seen(2, "the server answers again")
	interrupt()
	for range 3 {
		<-ended
	}
}
