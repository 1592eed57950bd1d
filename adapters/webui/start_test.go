package webui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
)

// readers are people who may look, and not start.
type readers struct{ webui.Sessions }

func (readers) Who(*http.Request) (webui.Person, bool) { return webui.Person{Name: "eve"}, true }

func TestARunIsStartedFromItsForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, body, _ := w.get("/ui/start")
	require.Contains(t, body, "/ui/sagas/order/start")
	require.Contains(t, body, "/ui/actions/charge-card/start")
	_, body, _ = w.get("/ui/sagas/order/start")
	for _, part := range []string{`name="in.id"`, `type="password"`, `name="in.items"`, `name="output"`, `name="key"`} {
		require.Contains(t, body, part)
	}
	status, body, _ := w.post("/ui/sagas/order/start", url.Values{"in.id": {hostile}, "in.email": {"a@b"}, "in.total": {"many"}})
	require.Equal(t, 422, status)
	require.Contains(t, body, "Nothing was started: correct the marked fields.")
	require.Contains(t, body, "is not a number")
	require.Contains(t, body, `value="many"`, "what was typed is kept")
	require.NotContains(t, body, "<script>window.hacked")
	status, body, _ = w.post("/ui/sagas/order/start", url.Values{"output": {`{"nope":1}`}})
	require.Equal(t, 422, status)
	require.Contains(t, body, "lacks id, email, items, total", "the server's refusal is told in the form")
	require.Contains(t, body, `{&#34;nope&#34;:1}`)
	status, _, head := w.post("/ui/sagas/order/start", url.Values{"in.id": {"o-1"}, "in.email": {"a@b"}, "in.items": {"pen\r\nink"}, "in.total": {"40"}, "key": {"form-1"}, "labels": {"tenant=acme"}})
	require.Equal(t, 303, status)
	again := url.Values{"in.id": {"o-2"}, "in.email": {"a@b"}, "in.total": {"40"}, "key": {"form-1"}}
	status, body, _ = w.post("/ui/sagas/order/start", again)
	require.Equal(t, 409, status)
	require.Contains(t, body, `value="form-1"`)
	path, _, _ := strings.Cut(head.Get("Location"), "?")
	id, err := uuid.Parse(strings.TrimPrefix(path, "/ui/runs/"))
	require.NoError(t, err)
	v, err := w.c.Describe(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "form-1", v.Key)
	require.Equal(t, map[string]string{"tenant": "acme"}, v.Labels)
	require.Equal(t, "local", v.Actor)
	status, _, _ = w.post("/ui/actions/double/start", url.Values{"in.": {"21"}})
	require.Equal(t, 303, status)
	for _, path := range []string{"/ui/sagas/none/start", "/ui/actions/order/start", "/ui/sagas/order/start?version=9"} {
		status, _, _ = w.get(path)
		require.Equal(t, 404, status, path)
	}
}

func TestWhoMayNotStartIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Sessions = readers{} })
	_, body, _ := w.get("/ui/sagas/order/start")
	require.Contains(t, body, "lacks the scope start")
	require.Regexp(t, `<button class="primary" disabled>Start`, body)
	status, body, _ := w.post("/ui/sagas/order/start", url.Values{"in.id": {"kept"}, "in.email": {"a@b"}, "in.total": {"1"}})
	require.Equal(t, 403, status)
	require.Contains(t, body, `value="kept"`)
}

func TestAPersonStartsAndSignalsARunByForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newBrowser(t, w)
	b.open("/ui/runs")
	b.click(`a[href="/ui/start"]`)
	b.arrives("/ui/start")
	b.click(`a[href="/ui/sagas/big-order/start"]`)
	b.typeInto(`[id="in.id"]`, "o-7")
	b.typeInto(`[id="in.total"]`, "x")
	b.click(`dialog button.primary`)
	b.sees("dialog .problem", "correct the marked fields")
	b.sees("dialog .wrong", "is not a number")
	b.holds(`document.getElementById("in.id").value === "o-7"`)
	b.shoot("start-form-errors")
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("in.total").value = "12"; document.getElementById("in.email").value = "ada@example.com"`))
	b.click(`dialog button.primary`)
	b.sees("#why", "waits for signal approved")
	b.click(`a[data-act="signal"]`)
	b.typeInto(`[id="in.by"]`, "ada")
	b.shoot("signal-form")
	b.click(`dialog button.primary`)
	b.sees("h1", "completed")
	b.clean("422")
}
