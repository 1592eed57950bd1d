package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// withPage is a server with a page, which answers whatever reaches it.
func withPage(c *httpapi.Config) {
	c.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
}

func TestOtherMethodsAndPathsAreProblemsBesideThePageToo(t *testing.T) {
	t.Parallel()
	for name, adjust := range map[string]func(*httpapi.Config){"with page": withPage, "without": func(*httpapi.Config) {}} {
		w := newWorld(t, worldConfig{adjust: adjust})
		for path, item := range w.srv.OpenAPI().Paths {
			path = strings.NewReplacer("{id}", "5f0c0000-0000-4000-8000-000000000000", "{name}", "n", "{view}", "runs").Replace(path)
			for _, method := range []string{"GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"} {
				if operations(item)[method] != nil {
					continue
				}
				a := w.do(method, path, nil).problem(405, wire.ProblemMethod)
				require.NotEmpty(t, a.header.Get("Allow"), "%s: %s %s", name, method, path)
				require.NotContains(t, a.header.Get("Allow"), method)
			}
		}
		w.do("POST", "/metrics", nil).problem(405, wire.ProblemMethod)
		w.do("PUT", "/openapi.json", nil).problem(405, wire.ProblemMethod)
		for _, path := range []string{"/nothing", "/runs/", "/run", "/sagas/signup/nothing", "/tokens2"} {
			w.do("GET", path, nil).problem(404, wire.ProblemNotFound)
		}
		for _, path := range []string{"/tokens", "/tokens/kim"} {
			a := w.do("GET", path, nil).problem(404, wire.ProblemNoTokens)
			require.Contains(t, string(a.body), "token create", "it says how to come by one")
		}
	}
	w := newWorld(t, worldConfig{adjust: withPage})
	for _, path := range []string{"/", "/ui", "/ui/", "/ui/runs"} {
		require.Equal(t, "<html>", string(w.do("GET", path, nil).is(200).body), path)
	}
}

func TestEveryProblemWithARequestsFormHasAType(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	start := "/sagas/signup/runs"
	w.do("POST", start, "{").problem(400, wire.ProblemBadBody)
	none := w.do("POST", "/bulk", nil).problem(422, wire.ProblemBadInput)
	require.Contains(t, string(none.body), "this needs a body: a JSON object")
	for path, want := range map[string]string{"/run": "did you mean /runs?", "/runs/5f2c5a0e-5c0a-4d55-9a60-0a70e0a70e01/cancle": "/cancel?", "/nothing-like-it": "see /openapi.json"} {
		missing := w.do("GET", path, nil).problem(404, wire.ProblemNotFound)
		require.Contains(t, string(missing.body), want, path)
	}
	for _, path := range []string{"/runs", "/audit"} {
		paged := w.do("GET", path+"?follow=true&cursor=x", nil).problem(422, wire.ProblemBadInput)
		require.Contains(t, string(paged.body), "a live stream has no pages", path)
	}
	w.do("GET", "/stats?last=7d", nil).is(200)
	label := w.do("GET", "/runs?label=nope=1", nil).problem(422, wire.ProblemBadInput)
	require.Contains(t, string(label.body), "no run has a label nope")
	w.do("POST", "/bulk", `{"act":"pause","filter":{"labels":{"nope":"1"}},"dry_run":true}`).problem(422, wire.ProblemBadInput)
	w.do("POST", start, "x", "Content-Type", "text/plain").problem(415, wire.ProblemBadBody)
	w.do("POST", start, `"`+strings.Repeat("x", 1<<20)+`"`).problem(413, wire.ProblemTooLarge)
	w.do("GET", "/runs?nope=1", nil).problem(422, wire.ProblemBadInput)
	w.do("GET", "/runs/5", nil).problem(422, wire.ProblemBadInput)
}

// TestABodyThatDoesNotComeHoldsNothingUp has clients announce bodies that they never send, where
// nobody wants them.
func TestABodyThatDoesNotComeHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true, adjust: func(c *httpapi.Config) {
		withPage(c)
		c.BodyTimeout = 100 * time.Millisecond
	}})
	const head = " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	for what, request := range map[string]string{
		"refused":     "POST /sagas/signup/runs" + head + "Content-Length: 1000\r\n\r\n{",
		"unwanted":    "GET /health/live" + head + "Content-Length: 10\r\n\r\n",
		"the page's":  "POST /ui/login" + head + "Content-Length: 10\r\n\r\n",
		"no path":     "POST /nothing" + head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"a large one": "POST /session" + head + "Transfer-Encoding: chunked\r\n\r\n100001\r\n" + strings.Repeat("x", 1<<20+1),
	} {
		conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = conn.Write([]byte(request))
		require.NoError(t, err, what)
		answers := bufio.NewReader(conn)
		res, err := http.ReadResponse(answers, nil)
		require.NoError(t, err, "%s: it is answered", what)
		_, err = io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		_, err = answers.Peek(1)
		require.Error(t, err, what)
		var late net.Error
		require.False(t, errors.As(err, &late) && late.Timeout(), "%s: and the connection is closed", what)
		require.NoError(t, conn.Close())
	}
}

// TestAWaitOutlivesTheTimeForTheBody guards against a body's deadline that goes on when it was
// read.
func TestAWaitOutlivesTheTimeForTheBody(t *testing.T) {
	t.Parallel()
	seen := make(chan error, 1)
	w := newWorld(t, worldConfig{adjust: func(c *httpapi.Config) {
		c.BodyTimeout = 500 * time.Millisecond
		c.Page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
			seen <- context.Cause(r.Context())
		})
	}})
	w.do("POST", "/ui/act", "a=b", "Content-Type", "application/x-www-form-urlencoded").is(200)
	require.NoError(t, <-seen, "the page's request is not given up")
	w.do("POST", "/sagas/approval/runs?wait=1s", form{Email: "a"}).is(202)
}
