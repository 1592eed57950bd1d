package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/saga"
)

// needs are the scopes that operations want one of, written down here once more; none means that
// everybody may.
var needs = map[string][]auth.Scope{
	"start-run": {auth.Start}, "start-again": {auth.Start}, "invoke-action": {auth.Start}, "get-result": {auth.Start}, "emit-event": {auth.Start},
	"list-runs": {auth.Read}, "get-run": {auth.Read}, "why": {auth.Read}, "undo-preview": {auth.Read}, "outlook": {auth.Read}, "get-state": {auth.Read}, "get-diagram": {auth.Read},
	"get-events": {auth.Read}, "get-audit": {auth.Read}, "list-events": {auth.Read}, "list-audit": {auth.Read}, "list-incidents": {auth.Read}, "list-incident-groups": {auth.Read}, "get-incident": {auth.Read}, "act-on-incidents": {auth.Operate},
	"list-rejected-events": {auth.Read}, "act-on-rejected-events": {auth.Operate},
	"get-stats": {auth.Read}, "list-sagas": {auth.Read}, "get-saga": {auth.Read}, "list-actions": {auth.Read}, "list-projections": {auth.Read},
	"cancel-run": {auth.Operate}, "pause-run": {auth.Operate}, "resume-run": {auth.Operate}, "retry-run": {auth.Operate}, "resolve-run": {auth.Operate},
	"abandon-run": {auth.Operate}, "hold-action": {auth.Operate}, "release-action": {auth.Operate}, "list-holds": {auth.Read}, "bulk": {auth.Operate}, "signal-run": {auth.Start, auth.Operate},
	"rebuild-projection": {}, "record-exploration": {}, "list-tokens": {}, "create-token": {}, "revoke-token": {},
	"suggest": {auth.Read},
	"get-me":  {auth.Read, auth.Start, auth.Operate},
	"login":   nil, "logout": nil, "live": nil, "ready": nil,
}

func TestEachScopeOpensItsOperationsAndNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	for _, scope := range auth.Scopes() {
		by := w.as(w.token("only-"+string(scope), []auth.Scope{scope}))
		for _, s := range samples(w.srv.OpenAPI()) {
			want, known := needs[s.op.OperationID]
			require.True(t, known, "%s: say here who may do it", s.op.OperationID)
			if want == nil {
				continue
			}
			may := scope == auth.Admin
			for _, n := range want {
				may = may || n == scope
			}
			a := by.do(s.method, s.path, orNil(s.body))
			require.Equal(t, !may, a.status == http.StatusForbidden, "%s with %s: %d %s", s.op.OperationID, scope, a.status, a.body)
		}
	}
}

// TestABoundTokenSeesNothingOfOtherSagas asks everything that there is with a token that is bound
// to a saga and looks for traces of another one.
func TestABoundTokenSeesNothingOfOtherSagas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true, adjust: func(c *httpapi.Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `atone_runs{saga="asking"} 1`) })
	}})
	other := w.start("asking", form{Email: "other@example.org", Fail: "charge"}).Run
	w.do("POST", "/events", `{"stream":"orders","type":"order.placed","payload":{"email":"other@example.org"}}`).is(201)
	at := fmt.Sprintf("at_least=%d", w.position())
	bound := w.as(w.token("bound", auth.Scopes(), "approval"))
	own := bound.waiting("approval")
	paths := []string{"/runs?" + at, "/runs?limit=1000&action=charge&" + at, "/runs?text=declined&" + at, "/runs?state=stuck&" + at, "/audit?" + at, "/audit?failed=true&" + at,
		"/audit?run=" + other.String() + "&" + at, "/audit?action=charge&" + at, "/audit?text=declined&" + at, "/incidents?state=all&" + at, "/incidents?run=" + other.String() + "&" + at,
		"/incidents?text=declined&" + at, "/stats?points=true&" + at, "/stats?action=charge&" + at, "/stats?saga=asking", "/events", "/events?stream=run-" + other.String(), "/sagas", "/sagas/asking",
		"/actions", "/metrics", "/tokens", "/runs?parent=" + other.String()}
	for _, path := range []string{"", "/events", "/why", "/undo-preview", "/outlook", "/state", "/audit", "/diagram", "/result"} {
		paths = append(paths, "/runs/"+other.String()+path)
	}
	for _, path := range paths {
		for _, accept := range []string{"application/json", "text/event-stream"} {
			if accept != "application/json" && !strings.HasPrefix(path, "/runs/") {
				continue // such a stream has no end: see TestABoundTokenFollowsOnlyItsSagas
			}
			a := bound.do("GET", path, nil, "Accept", accept)
			require.Contains(t, []int{200, 403}, a.status, path)
			for _, trace := range []string{"other@", "asking\"", "declined", `"charge"`} {
				if trace == "asking\"" && a.status == 403 {
					continue // the refusal names what was asked for
				}
				require.NotContains(t, string(a.body), trace, "%s tells of another saga", path)
			}
		}
	}
	for _, act := range []string{"cancel", "pause", "resume", "retry", "resolve", "abandon", "signal"} {
		bound.do("POST", "/runs/"+other.String()+"/"+act, bodies[act+"-run"]).problem(403, wire.ProblemForbidden)
	}
	for _, filter := range []string{`{"runs":["` + other.String() + `"]}`, `{"action":"charge"}`, `{"states":["stuck"]}`} {
		var report saga.BulkReport
		bound.do("POST", "/bulk", `{"act":"abandon","reason":"r","filter":`+filter+`}`).is(200).into(&report)
		for _, r := range report.Results {
			require.Equal(t, own, r.Run, filter)
		}
	}
	for _, filter := range []string{`{}`, `{"key_prefix":""}`, `{"sagas":[],"labels":{},"runs":[],"states":[]}`, `{"older_than":"0s","version":0}`} {
		bound.do("POST", "/bulk", `{"act":"abandon","reason":"r","filter":`+filter+`}`).problem(422, wire.ProblemBadInput)
		bound.do("POST", "/bulk", `{"act":"abandon","reason":"r","all":true,"dry_run":true,"filter":`+filter+`}`).is(200)
	}
	bound.do("POST", "/bulk", `{"act":"abandon","reason":"r","filter":{"sagas":["asking"]}}`).problem(403, wire.ProblemForbidden)
	bound.do("POST", "/projections/runs/rebuild", nil).problem(403, wire.ProblemForbidden)
	bound.do("POST", "/tokens", `{"name":"more","scopes":["admin"]}`).problem(403, wire.ProblemForbidden)
	bound.do("DELETE", "/tokens/root", nil).problem(403, wire.ProblemForbidden)
	var still wire.Run
	w.do("GET", "/runs/"+other.String(), nil).is(200).into(&still)
	require.Equal(t, "stuck", string(still.State), "nothing was done to it")
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true, adjust: func(c *httpapi.Config) { c.KeepAlive = 20 * time.Millisecond }})
	id := w.waiting("approval")
	secret := w.token("short", []auth.Scope{auth.Read})
	lines, leave := w.stream("/runs/"+id.String()+"/events", "Authorization", "Bearer "+secret)
	defer leave()
	for _, kind, _ := next(lines); kind != "await.opened.v1"; _, kind, _ = next(lines) {
		require.NotEmpty(t, kind)
	}
	require.NoError(t, w.tokens.Revoke(t.Context(), "short", "root"))
	_, kind, ok := next(lines) // which returns when the server ends the stream
	require.False(t, ok, kind)
}

func TestABadTokenDoesNotLockOutTheGoodOnesOfItsAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	bad := w.as("atone_000000000000_wrong")
	for bad.do("GET", "/me", nil).status != http.StatusTooManyRequests {
	}
	w.do("GET", "/me", nil).is(200)
	w.as("").do("POST", "/session", wire.Login{Token: w.bearer}).is(200)
	require.NotEmpty(t, bad.do("GET", "/me", nil).is(429).header.Get("Retry-After"))
}
