package webui_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestAnAddressWithAnUnknownConditionListsNothing, on every page, and says what may have been
// meant.
func TestAnAddressWithAnUnknownConditionListsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.stuck("s-1")
	w.settled()
	_, incident := w.deskOf(id)
	run := "/ui/runs/" + id.String()
	for address, says := range map[string]string{
		"/ui/runs?stat=stuck":                  "no condition is called stat: did you mean state?",
		"/ui/runs?state=stuck&labl=a":          "no condition is called labl: there are cursor, q, saga, sort, state",
		"/ui/runs?sort=newest":                 "no sort is called newest",
		run + "?tb=plan":                       "no condition is called tb: did you mean tab?",
		run + "?show=faild":                    "no show is called faild: did you mean failed?",
		run + "?scale=log":                     "no scale is called log",
		run + "/step?pth=charge-card":          "did you mean path?",
		run + "/lever/retry?stp=charge-card":   "did you mean step?",
		"/ui/incidents?stat=open":              "did you mean state?",
		"/ui/incidents/" + incident + "?tab=x": "no condition is called tab",
		"/ui/audit?fail=1":                     "did you mean failed?",
		"/ui/sagas?name=order":                 "no condition is called name",
		"/ui/sagas/order?vers=3":               "no condition is called vers",
		"/ui/stats?rang=1h":                    "did you mean range?",
		"/ui/stats?range=2h":                   "no range is called 2h",
		"/ui/start?saga=order":                 "no condition is called saga",
		"/ui/sagas/order/start?v=3":            "no condition is called v",
		"/ui/actions/double/start?v=3":         "no condition is called v",
		"/ui/events?typ=order.placed":          "did you mean type?",
		"/ui/rejected?stat=open":               "did you mean state?",
		"/ui/search?inn=runs":                  "no condition is called inn",
		run + "/again?key=x":                   "no condition is called key",
		"/ui/actions/double/hold?for=2h":       "no condition is called for",
	} {
		for _, header := range [][]string{nil, {"HX-Request", "true", "HX-Target", "live"}} {
			status, body, _ := w.get(address, header...)
			require.Equal(t, http.StatusUnprocessableEntity, status, address)
			require.Contains(t, body, says, address)
			require.NotContains(t, body, "<table", address)
		}
	}
	for _, address := range []string{"/ui/runs?state=stuck&q=saga:order&sort=oldest&cursor=&note=x", run + "?tab=audit&at=3&event=2&row=0", "/ui/incidents?each=1&seen=1", "/ui/stats?range="} {
		status, _, _ := w.get(address)
		require.Equal(t, http.StatusOK, status, address)
	}
}

// TestAMissingRunIsNamedAsItWasAskedFor, and what to do next is said.
func TestAMissingRunIsNamedAsItWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.completed("c-1")
	w.settled()
	none := uuid.NewString()
	for path, want := range map[string][]string{
		"order:nokey":                        {"There is no run order:nokey: no run of order was started with this key.", `href="/ui/runs?q=saga%3Aorder">See runs of order</a>`, "load this page again"},
		none:                                 {"There is no run " + none + ".", "Runs are named by their id, its last 6 or more digits, or SAGA:KEY.", `href="/ui/runs">To the runs</a>`},
		"abcdef012345":                       {"There is no run abcdef012345."},
		"order:nokey/again":                  {"There is no run order:nokey"},
		none + "/lever/cancel":               {"There is no run " + none},
		"order:" + strings.Repeat("x", 5000): {"There is no run order:xxx"},
		"order:%3Csvg%20onload=x%3E":         {"There is no run order:&lt;svg onload=x&gt;"},
	} {
		status, body, _ := w.get("/ui/runs/" + path)
		require.Equal(t, http.StatusNotFound, status, path)
		for _, part := range want {
			require.Contains(t, body, part, path)
		}
		require.Less(t, len(body), 20_000)
	}
}

// TestAMissingPageIsNamedAndLeadsOn: whoever has logged in keeps the pages at hand, and nothing
// claims to be live.
func TestAMissingPageIsNamedAndLeadsOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	status, body, _ := w.get("/ui/nothing", "Cookie", "session=ops")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "there is no such page: /ui/nothing")
	require.Contains(t, body, `<nav aria-label="Pages">`)
	require.NotContains(t, body, `id="pulse"`)
	status, body, _ = w.get("/ui/nothing")
	require.Equal(t, http.StatusNotFound, status)
	require.NotContains(t, body, `<nav aria-label="Pages">`)
}
