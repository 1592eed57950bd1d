package webui_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func (w *world) send(req *http.Request) (int, string, http.Header) {
	w.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	require.NoError(w.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, string(b), res.Header
}

// post sends a form as the page does.
func (w *world) post(path string, form url.Values, header ...string) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	require.NoError(w.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return w.send(req)
}

func TestEveryPageIsServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := []string{w.completed("c-1").String(), w.compensated("b-1").String(), w.stuck("s-1").String(), w.waiting("w-1").String(), w.toured("t-1").String()}
	w.settled()
	paths := []string{"/ui/runs", "/ui/runs?state=stuck", "/ui/incidents", "/ui/incidents?state=resolved", "/ui/audit", "/ui/audit?failed=1", "/ui/sagas", "/ui/sagas/order", "/ui/sagas/tour", "/ui/sagas/hostile", "/ui/sagas/big-order?version=1",
		"/ui/stats", "/ui/stats?range=", "/ui/stats?range=1h", "/ui/events", "/ui/events?type=x"}
	for _, id := range ids {
		for _, tab := range []string{"", "plan", "audit", "data", "undo"} {
			paths = append(paths, "/ui/runs/"+id+"?tab="+tab, "/ui/runs/"+id+"?at=3&tab="+tab)
		}
		paths = append(paths, "/ui/runs/"+id+"?show=open", "/ui/runs/"+id+"?scale=linear")
		for _, act := range []string{"cancel", "pause", "resume", "retry", "skip", "substitute", "abandon", "signal"} {
			paths = append(paths, "/ui/runs/"+id+"/lever/"+act)
		}
	}
	for _, p := range paths {
		status, body, head := w.get(p)
		require.Equal(t, http.StatusOK, status, "%s: %s", p, body)
		require.True(t, strings.HasSuffix(strings.TrimSpace(body), "</html>"), p)
		require.NotContains(t, body, "ZgotmplZ", p)
		require.Contains(t, head.Get("Content-Security-Policy"), "script-src 'self'", p)
		require.NotContains(t, head.Get("Content-Security-Policy"), "unsafe", p)
		require.NotContains(t, body, " style=", "%s: the policy forbids inline styles", p)
		require.NotContains(t, body, "ada@example.org", "%s: secrets stay hidden", p)
	}
}

// rowsOf returns the ids of the runs that a list shows, in order.
func rowsOf(body string) []string {
	var ids []string
	for _, part := range strings.Split(body, `<tr id="r-`)[1:] {
		ids = append(ids, part[:36])
	}
	return ids
}

func TestSearchAndFiltersAreInTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done, back, stuck, waiting := w.completed("c-1").String(), w.compensated("b-1").String(), w.stuck("s-1").String(), w.waiting("w-1").String()
	w.settled()
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", []string{waiting, stuck, back, done}},
		{"sort=oldest", []string{done, back, stuck, waiting}},
		{"state=stuck", []string{stuck}},
		{"state=unfinished", []string{waiting, stuck}},
		{"state=completed", []string{done}},
		{"q=saga:order", []string{stuck, back, done}},
		{"q=saga:order+label:tenant%3Dglobex", []string{stuck, back}},
		{"q=label:tenant%3Dacme&state=stuck", nil},
		{"q=c-1", []string{done}}, // a key that somebody pasted
		{"q=key:w-1", []string{waiting}},
		{"q=courier+insures", []string{stuck, back}},
		{"q=action:send-mail", []string{done}},
		{"q=version:1", []string{waiting}},
		{"q=since:1h", []string{waiting, stuck, back, done}},
		{"q=until:1h", nil},
		{"q=state:waiting", []string{waiting}},
		{"state=waiting", []string{waiting}},
		{"q=saga:order&state=unfinished", []string{stuck}},
		{"q=state:completed&state=unfinished", nil},
		{"q=" + done[28:], []string{done}}, // an id's end that somebody pasted
		{"q=saga:ord*+state:stuck", []string{stuck}},
	} {
		status, body, _ := w.get("/ui/runs?" + c.query)
		require.Equal(t, http.StatusOK, status, c.query)
		require.Equal(t, c.want, rowsOf(body), c.query)
	}
	_, _, head := w.get("/ui/runs?q=" + done)
	require.Equal(t, "/ui/runs/"+done, head.Get("Location"), "the id of a run leads to it")
	for path, why := range map[string]string{
		"/ui/runs?state=runing": "no state is called runing: did you mean running?", "/ui/runs?state=held": "what is held is not recorded in the runs", //nolint:misspell // the typing mistake is what is tested
		"/ui/incidents?state=snozed": "did you mean snoozed?", "/ui/rejected?state=dismised": "did you mean dismissed?",
	} {
		status, body, _ := w.get(path)
		require.Equal(t, http.StatusUnprocessableEntity, status, path)
		require.Contains(t, body, why, path)
	}
	_, body, _ := w.post("/ui/bulk", url.Values{"act": {"retry"}, "state": {"stuk"}, "q": {""}})
	require.Contains(t, body, "did you mean stuck?", "nothing is done to runs in every state")
	_, body, _ = w.get("/ui/runs?q=version:x+since:yesterday")
	require.Contains(t, body, "&#34;version:x&#34; is not understood")
	require.Contains(t, body, "&#34;since:yesterday&#34; is not understood")
	require.Empty(t, rowsOf(body), "nothing is searched, and nobody takes that for no such runs")
	_, body, _ = w.get("/ui/runs?q=saga:oder")
	require.Contains(t, body, "did you mean order?")
	_, body, _ = w.get("/ui/runs?q=saga:order&state=stuck")
	require.Regexp(t, `state=completed[^>]*><svg[^>]*><path[^>]*></svg>completed <b>1</b>`, body, "the numbers follow the search, whatever state is chosen")
	require.Regexp(t, `>all <b>3</b>`, body)
	_, body, _ = w.get("/ui/search?in=runs&q=state:comple")
	require.Contains(t, body, `<option value="state:completed">`)
	_, body, _ = w.get("/ui/runs?cursor=nonsense")
	require.Len(t, rowsOf(body), 4, "a cursor that fits no more begins again")
}

var nextLink = regexp.MustCompile(`rel="next" href="([^"]+)"`)

func TestPagesOfAListMissNothingAndRepeatNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.PageSize = 3 })
	var want []string
	for i := range 8 {
		want = append(want, w.completed(fmt.Sprintf("c-%d", i)).String())
	}
	w.settled()
	slices.Reverse(want)
	var got []string
	path := "/ui/runs?state=completed"
	for range 4 {
		_, body, _ := w.get(path)
		got = append(got, rowsOf(body)...)
		next := nextLink.FindStringSubmatch(body)
		if next == nil {
			break
		}
		path = html.UnescapeString(next[1])
		w.completed("newer-" + path) // what arrives meanwhile moves nothing
		w.settled()
	}
	require.Equal(t, want, got)
}

func TestUnchangedPartIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.completed("c-1")
	w.settled()
	part := []string{"HX-Request", "true", "HX-Target", "live"}
	status, body, head := w.get("/ui/runs", part...)
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, body, "<html", "only the part that changes")
	key := head.Get("X-Live-Key")
	require.NotEmpty(t, key)
	status, body, _ = w.get("/ui/runs", append(part, "X-Live-Key", key)...)
	require.Equal(t, http.StatusNoContent, status)
	require.Empty(t, body)
	w.completed("c-2")
	w.settled()
	status, body, _ = w.get("/ui/runs", append(part, "X-Live-Key", key)...)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, rowsOf(body), 2)
	_, body, _ = w.get("/ui/runs/" + id.String())
	require.NotContains(t, body, "data-refresh", "a run that has ended changes no more")
}

func TestEventsBrowserFindsDomainEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.PageSize = 2 })
	emit := func(stream, eventType, correlation string) {
		_, err := w.c.EmitEvent(w.ctx, stream, eventType, []byte(`{"n":1}`), saga.EmitOptions{Correlation: correlation})
		require.NoError(t, err)
	}
	emit("orders-1", "order.placed", "o-1")
	emit("orders-1", "order.paid", "o-1")
	emit("stock", "shelf.emptied", "sku-9")
	id := w.completed("c-1") // one of its actions emits an event; the run's own are not shown
	w.settled()
	types := func(body string) (out []string) {
		for _, m := range regexp.MustCompile(`href="/ui/events\?exact=1&amp;type=([^"]+)"`).FindAllStringSubmatch(body, -1) {
			out = append(out, m[1])
		}
		return out
	}
	_, body, _ := w.get("/ui/events")
	require.Equal(t, []string{"stock.reserved", "shelf.emptied"}, types(body))
	require.Contains(t, body, `href="/ui/runs/`+id.String()+`"`)
	require.NotContains(t, body, "ada@example.org", "secrets of the run's saga stay hidden")
	_, body, _ = w.get(html.UnescapeString(nextLink.FindStringSubmatch(body)[1]))
	require.Equal(t, []string{"order.paid", "order.placed"}, types(body))
	_, body, _ = w.get("/ui/events?type=order.")
	require.Equal(t, []string{"order.paid", "order.placed"}, types(body))
	_, body, _ = w.get("/ui/events?stream=stock")
	require.Equal(t, []string{"shelf.emptied"}, types(body))
	_, body, _ = w.get("/ui/events?stream=sto")
	require.Equal(t, []string{"shelf.emptied"}, types(body), "no stream is called so: one begins so")
	_, body, _ = w.get("/ui/events?correlation=o-1")
	require.Equal(t, []string{"order.paid", "order.placed"}, types(body))
}

func TestUnknownPlacesAreNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.completed("c-1").String()
	for _, path := range []string{"/nothing", "/ui/nothing", "/ui/runs/nonsense", "/ui/runs/" + uuid.NewString(), "/ui/runs/" + id + "?tab=nothing",
		"/ui/runs/" + id + "/step?path=nothing", "/ui/runs/" + id + "/lever/explode", "/ui/sagas/nothing", "/ui/sagas/order?version=99", "/ui/static/old/app.css"} {
		status, _, _ := w.get(path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
	status, _, head := w.get("/")
	require.Equal(t, http.StatusFound, status)
	require.Equal(t, "/ui/runs", head.Get("Location"))
}

func TestConfigTellsEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := webui.New(webui.Config{Base: "ui/", PageSize: 5000})
	for _, text := range []string{"Coordinator is missing", "Views is missing", "Log is missing", "Base is", "PageSize is 5000"} {
		require.ErrorContains(t, err, text)
	}
}

// slowViews is a [webui.Projections] that is behind.
type slowViews struct{}

func (slowViews) Status(context.Context) ([]runner.Status, error) {
	return []runner.Status{{View: "runs"}, {View: "stats", Lag: 90 * time.Second, LagEvents: 1200}}, nil
}

func TestListsSayWhenTheyAreBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Projections = slowViews{} })
	w.completed("c-1")
	w.settled()
	for _, path := range []string{"/ui/runs", "/ui/incidents", "/ui/audit", "/ui/stats"} {
		_, body, _ := w.get(path)
		require.Contains(t, body, "The lists are 1m30s behind (1\u2009200 events)", path)
	}
	fine := newWorld(t)
	fine.completed("c-1")
	fine.settled()
	_, body, _ := fine.get("/ui/runs")
	require.NotContains(t, body, "behind (")
}

// oldViews is a [webui.Projections] whose rows are not the log's.
type oldViews struct{}

func (oldViews) Status(context.Context) ([]runner.Status, error) {
	return []runner.Status{{View: "runs", Live: &projections.Generation{Live: true, Old: true}}, {View: "stats"}}, nil
}

func TestListsSayThatTheyAreNotTheLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Projections = oldViews{} })
	w.completed("c-1")
	w.settled()
	_, body, _ := w.get("/ui/runs")
	require.Contains(t, body, "These lists are out of date")
}

// noViews has not made its views yet.
type noViews struct{ webui.Views }

func (noViews) Runs(context.Context, runs.Filter) (runs.Page, error) {
	return runs.Page{}, fmt.Errorf("runs: %w", projections.ErrNoView)
}

func TestListsThatAreNotMadeYetSaySo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Views = noViews{c.Views} })
	status, body, _ := w.get("/ui/runs")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "being made from the log")
	require.Contains(t, body, "data-refresh")
}
