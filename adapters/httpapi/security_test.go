package httpapi_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/internal/certtest"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

func TestWithoutTokensOnlyLoopbackIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{idle: true})
	cfg := httpapi.Config{Coordinator: w.c, Views: views.Of(w.runner.Reader()), Projections: w.runner, Log: w.log}
	for _, addr := range []string{"0.0.0.0:7070", ":7070", "192.0.2.1:7070", "[::]:7070", "example.com:7070"} {
		cfg.Addr = addr
		_, err := httpapi.New(cfg)
		require.ErrorContains(t, err, "authentication", addr)
	}
	for _, addr := range []string{"", "127.0.0.1:0", "localhost:0", "[::1]:0"} {
		cfg.Addr = addr
		_, err := httpapi.New(cfg)
		require.NoError(t, err, addr)
	}
	cfg.Addr, cfg.Tokens = "0.0.0.0:7070", auth.NewTokens(w.log, nil)
	_, err := httpapi.New(cfg)
	require.NoError(t, err)
}

func TestAnOpenServerIsNotReachedThroughABrowsersPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	w.do("GET", "/runs", nil).is(200)
	w.do("GET", "/runs", nil, "Host", "evil.example").problem(403, wire.ProblemForbidden)
	w.do("GET", "/runs", nil, "Host", "evil.example:7070").problem(403, wire.ProblemForbidden)
	w.do("POST", "/sagas/signup/runs", form{Email: "a"}, "Origin", "https://evil.example").problem(403, wire.ProblemForbidden)
	w.do("POST", "/sagas/signup/runs", form{Email: "a"}, "Sec-Fetch-Site", "cross-site").problem(403, wire.ProblemForbidden)
	a := w.do("GET", "/runs", nil, "Origin", "https://evil.example").is(200)
	require.Empty(t, a.header.Get("Access-Control-Allow-Origin"), "CORS is closed")
}

func TestCORSIsOpenedByOriginOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true, adjust: func(c *httpapi.Config) { c.Origins = []string{"https://ops.example"} }})
	a := w.do("GET", "/runs", nil, "Origin", "https://ops.example").is(200)
	require.Equal(t, "https://ops.example", a.header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, a.header.Get("Access-Control-Allow-Credentials"), "cookies never cross")
	require.Empty(t, w.do("GET", "/runs", nil, "Origin", "https://evil.example").header.Get("Access-Control-Allow-Origin"))
	w.do("OPTIONS", "/runs", nil, "Origin", "https://ops.example", "Access-Control-Request-Method", "GET").is(204)
}

func TestATokensNameIsTheActorAndItsScopesHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	shop := w.as(w.token("shop", []auth.Scope{auth.Start}))
	var res wire.Result
	shop.do("POST", "/sagas/approval/runs", form{Email: "a"}).is(202).into(&res)
	run := "/runs/" + res.Run.String()
	shop.do("GET", run, nil).problem(403, wire.ProblemForbidden)
	shop.do("POST", run+"/cancel", `{}`).problem(403, wire.ProblemForbidden)
	shop.do("GET", run+"/result", nil).is(202)
	shop.do("POST", "/tokens", `{"name":"more","scopes":["admin"]}`).problem(403, wire.ProblemForbidden)

	ops := w.as(w.token("ops", []auth.Scope{auth.Operate, auth.Read}))
	ops.do("POST", "/sagas/approval/runs", form{Email: "a"}).problem(403, wire.ProblemForbidden)
	ops.do("POST", run+"/cancel", `{"reason":"no longer wanted"}`).is(204)
	var page wire.Page[wire.Event]
	ops.do("GET", run+"/events", nil).is(200).into(&page)
	require.Equal(t, "shop", page.Items[0].Actor)
	turned := ""
	for _, e := range page.Items {
		if e.Type == "run.turned_back.v1" {
			turned = e.Actor
		}
	}
	require.Equal(t, "ops", turned)
}

func TestATokenBoundToSagasReachesNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	other := w.start("signup", form{Email: "a"}).Run
	bound := w.as(w.token("bound", []auth.Scope{auth.Read, auth.Start, auth.Operate}, "approval"))
	own := bound.waiting("approval")
	bound.do("GET", "/runs/"+own.String(), nil).is(200)
	for _, path := range []string{"", "/events", "/why", "/undo-preview", "/outlook", "/state", "/audit", "/diagram", "/result"} {
		bound.do("GET", "/runs/"+other.String()+path, nil).problem(403, wire.ProblemForbidden)
	}
	bound.do("POST", "/runs/"+other.String()+"/pause", `{}`).problem(403, wire.ProblemForbidden)
	bound.do("POST", "/sagas/signup/runs", form{Email: "a"}).problem(403, wire.ProblemForbidden)
	bound.do("POST", "/actions/charge/invoke", form{Email: "a"}).problem(403, wire.ProblemForbidden)
	bound.do("POST", "/events", `{"stream":"s","type":"t"}`).problem(403, wire.ProblemForbidden)
	bound.do("GET", "/events", nil).problem(403, wire.ProblemForbidden)
	bound.do("GET", "/runs?saga=signup", nil).problem(403, wire.ProblemForbidden)
	var runs wire.Page[wire.RunItem]
	bound.do("GET", fmt.Sprintf("/runs?at_least=%d", w.position()), nil).is(200).into(&runs)
	require.Len(t, runs.Items, 1)
	require.Equal(t, own, runs.Items[0].ID)
	var sagas []wire.Saga
	bound.do("GET", "/sagas", nil).is(200).into(&sagas)
	require.Len(t, sagas, 1)
	var stats wire.Stats
	bound.do("GET", fmt.Sprintf("/stats?at_least=%d", w.position()), nil).is(200).into(&stats)
	for _, s := range stats.Stats {
		require.Equal(t, "approval", s.Saga)
	}
	var report saga.BulkReport
	bound.do("POST", "/bulk", `{"act":"pause","all":true,"filter":{},"dry_run":true}`).is(200).into(&report)
	require.Equal(t, 1, report.Matched)
}

func TestATokenThatEndedIsNotGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	secret := w.token("short", []auth.Scope{auth.Read})
	short := w.as(secret)
	short.do("GET", "/me", nil).is(200)
	w.do("DELETE", "/tokens/short", nil).is(204)
	short.do("GET", "/me", nil).problem(401, wire.ProblemUnauthorized)
	w.as(secret+"x").do("GET", "/me", nil).problem(401, wire.ProblemUnauthorized)
	w.do("GET", "/me", nil, "Authorization", "Basic cm9vdDpyb290").problem(401, wire.ProblemUnauthorized)
	require.Equal(t, `Bearer realm="atone"`, w.as("").do("GET", "/me", nil).is(401).header.Get("Www-Authenticate"))
}

func TestALoginIsACookieThatScriptsAndOtherSitesCannotUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	secret := w.token("ann", []auth.Scope{auth.Read, auth.Operate})
	id := w.waiting("approval")
	person := w.as("")
	res := person.do("POST", "/session", wire.Login{Token: secret}).is(200)
	set := (&http.Response{Header: res.header}).Cookies()
	require.Len(t, set, 1)
	require.True(t, set[0].HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, set[0].SameSite)
	require.NotContains(t, set[0].Value, secret)
	cookie := set[0].Name + "=" + set[0].Value
	var me wire.Me
	person.do("GET", "/me", nil, "Cookie", cookie).is(200).into(&me)
	require.Equal(t, "ann", me.Name)
	person.do("POST", "/runs/"+id.String()+"/pause", `{}`, "Cookie", cookie, "Sec-Fetch-Site", "cross-site").problem(403, wire.ProblemForbidden)
	person.do("POST", "/runs/"+id.String()+"/pause", `{}`, "Cookie", cookie, "Origin", "https://evil.example").problem(403, wire.ProblemForbidden)
	person.do("POST", "/runs/"+id.String()+"/pause", `{}`, "Cookie", cookie, "Sec-Fetch-Site", "same-origin").is(204)
	person.do("DELETE", "/session", nil, "Cookie", cookie).is(204)
	person.do("GET", "/me", nil, "Cookie", cookie).problem(401, wire.ProblemUnauthorized)

	res = person.do("POST", "/session", wire.Login{Token: secret}).is(200)
	again := (&http.Response{Header: res.header}).Cookies()[0]
	require.NoError(t, w.tokens.Revoke(t.Context(), "ann", "root"))
	person.do("GET", "/me", nil, "Cookie", again.Name+"="+again.Value).problem(401, wire.ProblemUnauthorized)
}

func TestSecretsAreNeitherShownNorLoggedNorKept(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	w := newWorld(t, worldConfig{secured: true, adjust: func(c *httpapi.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}})
	const password = "correct-horse"
	id := w.start("signup", form{Email: "a", Password: password}).Run
	for _, path := range []string{"", "/events", "/state", "/audit", "/audit?format=csv", "/undo-preview", "/outlook"} {
		a := w.do("GET", "/runs/"+id.String()+path, nil).is(200)
		require.NotContains(t, string(a.body), password, path)
	}
	require.NotContains(t, string(w.do("GET", "/runs/"+id.String()+"/events", nil, "Accept", "text/event-stream").body), password)
	w.as(w.bearer+"x").do("GET", "/me", nil).is(401)
	require.NotContains(t, logged.String(), password)
	require.NotContains(t, logged.String(), w.bearer)
	require.Contains(t, logged.String(), "authentication failed")
	for r, err := range w.log.ReadStream(t.Context(), auth.Stream, 0) {
		require.NoError(t, err)
		require.NotContains(t, string(r.Data)+string(r.Metadata), w.bearer)
	}
}

// TestDomainEventsAreShownWithoutWhatTheirSagasKeepSecret has an event that starts a saga, and one
// that a saga awaits.
func TestDomainEventsAreShownWithoutWhatTheirSagasKeepSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	const password = "correct-horse"
	for _, kind := range []string{"user.asked", "user.confirmed"} {
		w.do("POST", "/events", wire.Emit{Stream: "users", Type: kind, Payload: []byte(`{"email":"ann@example.org","password":"` + password + `"}`)}).is(201)
	}
	body := string(w.do("GET", "/events?latest=true&within=60s", nil).is(200).body)
	require.NotContains(t, body, password)
	require.Equal(t, 2, strings.Count(body, "ann@example.org"), "the rest is shown")
}

func TestTokensAreKnownToEveryProcessOfALog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	elsewhere := auth.NewTokens(w.log, nil)
	_, secret, err := elsewhere.Create(t.Context(), auth.Spec{Name: "remote", Scopes: []auth.Scope{auth.Read}, By: "other"})
	require.NoError(t, err)
	w.as(secret).do("GET", "/me", nil).is(200)
	require.NoError(t, elsewhere.Revoke(t.Context(), "remote", "other"))
	w.eventually(func() bool { return w.as(secret).do("GET", "/me", nil).status == 401 })
	_, _, err = elsewhere.Create(t.Context(), auth.Spec{Name: "root", Scopes: []auth.Scope{auth.Read}})
	require.ErrorIs(t, err, auth.ErrNameTaken)
	now := time.Now()
	late := auth.NewTokens(w.log, func() time.Time { return now })
	_, soon, err := late.Create(t.Context(), auth.Spec{Name: "soon", Scopes: []auth.Scope{auth.Read}, Expires: now.Add(time.Minute)})
	require.NoError(t, err)
	_, err = late.Verify(t.Context(), soon)
	require.NoError(t, err)
	now = now.Add(2 * time.Minute)
	_, err = late.Verify(t.Context(), soon)
	require.ErrorIs(t, err, auth.ErrDenied)
}

func TestTheServerSpeaksTLSAndStopsCleanly(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t)
	arrived := make(chan struct{}, 1)
	w := newWorld(t, worldConfig{secured: true, adjust: func(c *httpapi.Config) {
		c.TLSCert, c.TLSKey = cert.CertFile, cert.KeyFile
		c.Middleware = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/result") {
					arrived <- struct{}{}
				}
				next.ServeHTTP(w, r)
			})
		}
	}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.srv.Serve(ctx, ln) }()
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cert.Roots}}}
	defer hc.CloseIdleConnections()
	id := w.waiting("approval")
	url := "https://" + ln.Addr().String()
	get := func(path, accept string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+w.bearer)
		req.Header.Set("Accept", accept)
		res, err := hc.Do(req)
		require.NoError(t, err)
		return res
	}
	stream := get("/runs/"+id.String()+"/events", "text/event-stream")
	defer stream.Body.Close()
	require.Equal(t, 200, stream.StatusCode)
	waiting := make(chan int, 1)
	go func() {
		res := get("/runs/"+id.String()+"/result?wait=1m", "application/json")
		defer res.Body.Close()
		waiting <- res.StatusCode
	}()
	<-arrived
	cancel() // streams and waits end, and Serve returns
	require.NoError(t, <-ended)
	select {
	case status := <-waiting:
		require.Equal(t, 202, status)
	case <-time.After(50 * time.Second): // it asked for a minute
		t.Fatal("the wait did not end")
	}
}
