package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
)

// sample is a request that an operation accepts as far as its form goes.
type sample struct {
	op           *huma.Operation
	method, path string
	body         string // empty where there is none
}

// bodies are well formed bodies, by operation.
var bodies = map[string]string{
	"start-run": `{"email":"a"}`, "invoke-action": `{"email":"a"}`, "cancel-run": `{}`, "start-again": `{}`, "pause-run": `{}`, "resume-run": `{}`, "retry-run": `{}`,
	"resolve-run": `{"how":"skip"}`, "abandon-run": `{"reason":"r"}`, "hold-action": `{"reason":"r"}`, "release-action": `{"reason":"r"}`, "signal-run": `{"name":"n"}`, "bulk": `{"act":"pause","filter":{"key_prefix":"none"}}`,
	"act-on-incidents": `{"act":"note","targets":["none"],"text":"n"}`, "act-on-rejected-events": `{"act":"retry","all":true,"reason":"r"}`,
	"emit-event": `{"stream":"orders","type":"order.placed"}`, "create-token": `{"name":"sample","scopes":["read"]}`, "login": `{"token":"x"}`, "record-exploration": exploration("none"),
}

// samples returns a request for every operation of the document, about a run that does not exist.
func samples(doc *huma.OpenAPI) []sample {
	var out []sample
	for path, item := range doc.Paths {
		for method, op := range operations(item) {
			path = strings.NewReplacer("{id}", uuid.NewString(), "{name}", "nobody", "{view}", "nothing").Replace(path)
			out = append(out, sample{op, method, path, bodies[op.OperationID]})
		}
	}
	return out
}

func (s sample) send(c *contract, w *world, headers ...string) answer {
	if s.body == "" {
		return c.call(w, s.method, s.path, nil, headers...)
	}
	return c.call(w, s.method, s.path, s.body, headers...)
}

func TestEveryDocumentedAnswerIsReachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	c := newContract(w.srv.OpenAPI())
	reachSuccesses(c, w)
	reachRefusals(c, w)
	for _, s := range samples(c.doc) {
		s.send(c, w)
		require.Equal(t, 422, c.call(w, s.method, s.path+"?nope=1", orNil(s.body)).status, "%s with an unknown parameter", s.op.OperationID)
		if s.body != "" {
			reachBodyErrors(c, w, s)
		}
		if !protected(s.op) {
			continue
		}
		require.Equal(t, 401, s.send(c, w.as("")).status, s.op.OperationID)
	}
	none := w.as(w.token("none", []auth.Scope{"nothing"}))
	for _, s := range samples(c.doc) {
		if protected(s.op) {
			require.Equal(t, 403, s.send(c, none).status, s.op.OperationID)
		}
	}
	require.Equal(t, 403, c.call(w, "POST", "/session", `{"token":"x"}`, "Sec-Fetch-Site", "cross-site").status)
	reachTooMany(c, w)
	reachUnavailable(t, c)
	require.Empty(t, c.missing(), "documented, but never answered")
}

// protected reports whether an operation wants a token: its document then has no empty requirement.
func protected(op *huma.Operation) bool {
	return !slices.ContainsFunc(op.Security, func(r map[string][]string) bool { return len(r) == 0 })
}

func orNil(body string) any {
	if body == "" {
		return nil
	}
	return body
}

// reachSuccesses has every operation succeed.
func reachSuccesses(c *contract, w *world) {
	done := w.start("signup", form{Email: "a"}).Run
	waits := w.waiting("approval")
	run := "/runs/" + done.String()
	fresh := fmt.Sprintf("?at_least=%d", w.position())
	for _, path := range []string{run, run + "/why", run + "/undo-preview", run + "/outlook", run + "/state?at=0", run + "/diagram", run + "/result", "/runs/" + waits.String() + "/result?wait=1ms",
		run + "/audit", run + "/audit?format=csv", run + "/audit?format=ndjson", run + "/audit?format=text", run + "/events",
		"/runs" + fresh, "/audit" + fresh, "/incidents" + fresh, "/incident-groups" + fresh, "/stats" + fresh + "&points=true&last=1h", "/events" + fresh + "&ascending=true", "/sagas", "/sagas/signup", "/actions", "/holds", "/rejected-events",
		"/projections", "/tokens", "/me", "/health/live", "/health/ready"} {
		require.Less(w.t, c.call(w, "GET", path, nil).status, 300, path)
	}
	c.call(w, "GET", run+"/events", nil, "Accept", "text/event-stream").is(200)
	c.call(w, "GET", run+"/events", nil, "Accept", "text/event-stream", "Last-Event-ID", "1000").is(204)
	c.call(w, "POST", "/sagas/signup/runs?wait=5s", form{Email: "b"}).is(200)
	c.call(w, "POST", "/sagas/approval/runs", form{Email: "b"}).is(202)
	c.call(w, "POST", "/actions/create-user/invoke?wait=5s", form{Email: "b"}).is(200)
	c.call(w, "POST", run+"/start-again?wait=5s", `{}`).is(200)
	for { // as below
		if c.call(w, "POST", run+"/start-again", `{"key":"`+uuid.NewString()+`"}`).status == 202 {
			break
		}
	}
	for { // an action is soon done: 202 is only seen when it is not yet
		if c.call(w, "POST", "/actions/create-user/invoke", form{Email: "b"}).status == 202 {
			break
		}
	}
	stuck := "/runs/" + w.start("asking", form{Email: "a", Fail: "charge"}).Run.String()
	again := "/runs/" + w.waiting("approval").String()
	c.call(w, "POST", again+"/pause", `{"reason":"r"}`).is(204)
	c.call(w, "POST", again+"/resume", `{}`).is(204)
	c.call(w, "POST", again+"/signal", `{"name":"approve","payload":"yes"}`).is(204)
	c.call(w, "POST", "/runs/"+waits.String()+"/cancel", `{}`).is(204)
	c.call(w, "POST", stuck+"/retry", `{}`).is(204)
	var result wire.Result
	w.do("GET", stuck+"/result?wait=5s", nil).is(200).into(&result)
	c.call(w, "POST", "/incidents", `{"act":"note","targets":["`+result.Incident+`"],"text":"n"}`).is(200)
	c.call(w, "GET", fmt.Sprintf("/incidents/%s?at_least=%d", result.Incident, w.position()), nil).is(200)
	c.call(w, "POST", stuck+"/resolve", `{"how":"substitute","output":{"id":"1"}}`).is(204)
	lost := "/runs/" + w.waiting("approval").String()
	c.call(w, "POST", lost+"/abandon", `{"reason":"r"}`).is(204)
	c.call(w, "POST", "/actions/charge/hold", `{"reason":"r"}`).is(200)
	c.call(w, "POST", "/actions/charge/hold", `{"reason":"r"}`).problem(409, "action-held")
	c.call(w, "POST", "/actions/charge/release", `{"reason":"r"}`).is(200)
	c.call(w, "POST", "/actions/charge/release", `{"reason":"r"}`).problem(409, "action-not-held")
	info, err := w.c.Saga("signup", 0)
	require.NoError(w.t, err)
	c.call(w, "POST", "/sagas/signup/explorations", exploration(info.Hash)).is(200)
	c.call(w, "POST", "/rejected-events", `{"act":"retry","all":true,"reason":"r"}`).is(200)
	c.call(w, "POST", "/bulk", `{"act":"pause","all":true,"dry_run":true,"filter":{}}`).is(200)
	c.call(w, "POST", "/events", `{"stream":"orders","type":"order.placed","payload":{"n":1},"id":"1"}`).is(201)
	c.call(w, "POST", "/projections/stats/rebuild", nil).is(202)
	c.call(w, "POST", "/tokens", `{"name":"t1","scopes":["read"]}`).is(201)
	c.call(w, "DELETE", "/tokens/t1", nil).is(204)
	c.call(w, "POST", "/session", `{"token":"`+w.bearer+`"}`).is(200)
	c.call(w, "DELETE", "/session", nil).is(204)
}

// reachRefusals has operations refuse what does not fit.
func reachRefusals(c *contract, w *world) {
	done := "/runs/" + w.start("signup", form{Email: "a"}).Run.String()
	c.call(w, "POST", "/runs/"+w.waiting("approval").String()+"/start-again", `{}`).problem(409, "run-not-ended")
	for _, act := range []string{"cancel", "pause", "resume", "retry", "resolve", "abandon", "signal"} {
		c.call(w, "POST", done+"/"+act, bodies[act+"-run"]).is(409)
	}
	// 202, or 200 if it is done already.
	c.call(w, "POST", "/sagas/signup/runs", `{"email":"x"}`, "Idempotency-Key", "k")
	c.call(w, "POST", "/sagas/signup/runs", `{"email":"y"}`, "Idempotency-Key", "k").problem(409, "key-conflict")
	c.call(w, "POST", "/actions/charge/invoke", `{"email":"x"}`, "Idempotency-Key", "k")
	c.call(w, "POST", "/actions/charge/invoke", `{"email":"y"}`, "Idempotency-Key", "k").problem(409, "key-conflict")
	c.call(w, "POST", "/events", `{"stream":"orders","type":"order.placed","payload":{"n":2},"id":"1"}`).problem(409, "key-conflict")
	c.call(w, "POST", "/tokens", `{"name":"root","scopes":["read"]}`).is(409)
	c.call(w, "POST", "/session", `{"token":"x"}`).problem(401, "unauthorized")
}

// reachBodyErrors sends bodies that can't be read.
func reachBodyErrors(c *contract, w *world, s sample) {
	w.t.Helper()
	require.Equal(w.t, 400, c.call(w, s.method, s.path, "{").status, "%s with broken JSON", s.op.OperationID)
	require.Equal(w.t, 415, c.call(w, s.method, s.path, "x", "Content-Type", "text/html").status, "%s with HTML", s.op.OperationID)
	require.Equal(w.t, 413, c.call(w, s.method, s.path, `"`+strings.Repeat("x", 1<<20)+`"`).status, "%s with a large body", s.op.OperationID)
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	require.NoError(w.t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{", s.method, s.path, w.bearer)
	require.NoError(w.t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(w.t, err)
	defer res.Body.Close()
	require.Equal(w.t, 408, res.StatusCode, "%s with a body that does not come", s.op.OperationID)
	require.NoError(w.t, c.check(s.method, s.path, 408, res.Header, []byte(`{}`)))
}

// reachTooMany fails so often that the address is told to wait.
func reachTooMany(c *contract, w *world) {
	bad := w.as("atone_000000000000_wrong")
	for range 12 {
		bad.do("GET", "/me", nil)
	}
	for _, s := range samples(c.doc) {
		if !protected(s.op) && s.op.OperationID != "login" {
			continue
		}
		for { // one failure is forgiven every few seconds
			if s.send(c, bad).status == 429 {
				break
			}
		}
	}
}

// reachUnavailable asks a server whose log is closed, and one that is not ready.
func reachUnavailable(t *testing.T, c *contract) {
	t.Helper()
	w := newWorld(t, worldConfig{secured: true, adjust: func(cfg *httpapi.Config) {}})
	idle := newWorld(t, worldConfig{idle: true})
	require.Equal(t, 503, c.call(idle, "GET", "/health/ready", nil).status)
	stranger := w.as("atone_000000000000_unknown")
	log := closedLog{w.log}
	tokens := auth.NewTokens(log, nil)
	shut := newWorld(t, worldConfig{idle: true, adjust: func(cfg *httpapi.Config) { cfg.Tokens = tokens }})
	shut.bearer = stranger.bearer
	for _, s := range samples(c.doc) {
		if protected(s.op) || s.op.OperationID == "login" {
			if s.op.OperationID == "login" {
				s.body = `{"token":"atone_000000000000_unknown"}`
			}
			require.Equal(t, 503, s.send(c, shut).status, s.op.OperationID)
		}
	}
}

// closedLog is a log that can't be read any more.
type closedLog struct{ auth.Log }

func (closedLog) ReadStream(context.Context, string, uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) { yield(domain.Recorded{}, domain.ErrClosed) }
}
