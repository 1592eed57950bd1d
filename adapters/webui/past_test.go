package webui_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// revisionOf returns the revision of the run's first event of a kind.
func (w *world) revisionOf(id domain.RunID, wireName string) uint64 {
	w.t.Helper()
	for r, err := range w.log.ReadStream(w.ctx, domain.RunStream(id), 0) {
		require.NoError(w.t, err)
		if r.Type == wireName {
			return r.Revision
		}
	}
	require.FailNow(w.t, "no event "+wireName)
	return 0
}

func TestRunIsShownAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.compensated("b-1")
	path := "/ui/runs/" + id.String()
	failed, turned := w.revisionOf(id, "attempt.failed.v1"), w.revisionOf(id, "run.turned_back.v1")
	_, now, _ := w.get(path)
	require.Contains(t, now, "How it ended")

	_, then, _ := w.get(fmt.Sprintf("%s?at=%d", path, failed))
	require.Contains(t, then, `class="past"`)
	require.Contains(t, then, `</svg>retrying</span>`, "the state of then")
	require.Contains(t, then, "charge-card: attempt 2", "it says what the run waited for then")
	require.Contains(t, then, `data-step="charge-card"`)
	require.NotContains(t, then, `data-step="book-courier"`, "what came later is not there")
	require.NotContains(t, then, "data-act=", "nobody steers the past")
	require.NotContains(t, then, "data-refresh", "the past changes no more")
	require.NotContains(t, then, "data-since", "nor does it go on")
	for _, tab := range []string{"plan", "audit", "data", "undo"} {
		status, body, _ := w.get(fmt.Sprintf("%s?tab=%s&at=%d", path, tab, failed))
		require.Equal(t, http.StatusOK, status, tab)
		require.NotContains(t, body, "no courier insures", tab)
		require.Contains(t, body, fmt.Sprintf("at=%d&amp;tab=", failed+1), "%s: later keeps the tab", tab)
		require.NotContains(t, body, "ada@example.org", "%s: secrets stay hidden", tab)
	}
	_, step, _ := w.get(fmt.Sprintf("%s/step?path=charge-card&at=%d", path, failed))
	require.Contains(t, step, "gateway answered 503")
	require.NotContains(t, step, "attempt.succeeded")
	_, body, _ := w.get(fmt.Sprintf("%s?at=%d", path, turned))
	require.Contains(t, body, "t-compensating")
	_, body, _ = w.get(path + "?at=0")
	require.NotContains(t, body, `rel="prev"`, "nothing was before the start")
	for _, at := range []string{"100000", "-1", "x"} {
		status, _, _ := w.get(path + "?at=" + at)
		require.Equal(t, http.StatusNotFound, status, at)
	}
}

// TestBackInTimeInTheBrowser goes back, step by step and by the slider, and returns to now.
func TestBackInTimeInTheBrowser(t *testing.T) {
	w := newWorld(t)
	id := w.waiting("web-1")
	failed := w.revisionOf(id, "attempt.failed.v1")
	b := newBrowser(t, w)
	b.screen(1280, 860, "light")
	b.open("/ui/runs/" + id.String() + "?tab=audit")
	b.click(fmt.Sprintf(`#e-%d .c-rev a`, failed))
	b.sees(".past", "attempt.failed")
	b.holds(`new URLSearchParams(location.search).get("tab") === "audit" && document.querySelector(".levers") === null`)
	b.click(`.past a[rel="prev"]`)
	b.arrives(fmt.Sprintf("/ui/runs/%s?at=%d&tab=audit", id, failed-1))
	b.keys("]")
	b.sees(".past", "attempt.failed")
	b.click(`.tabs a`)
	b.holds(fmt.Sprintf(`location.search === "?at=%d" && document.querySelector("#timeline") !== null`, failed))
	b.click(`[data-step="charge-card"] summary`)
	b.sees(`[data-step="charge-card"] .tl-open`, "gateway answered 503")
	b.holds(`!document.querySelector('[data-step="charge-card"] .tl-open').innerText.includes("attempt.succeeded")`)
	b.shoot("past")
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { const s = document.querySelector(".past input[type=range]"); s.value = 1; s.dispatchEvent(new Event("change", {bubbles: true})) })()`))
	b.arrives("/ui/runs/" + id.String() + "?at=1")
	b.sees(".past", "attempt.started")
	b.click(".past .now")
	b.arrives("/ui/runs/" + id.String())
	b.sees("#why", "waits for signal approved")
	b.click(".rewind")
	b.sees(".past", "await.opened")
	require.NoError(t, w.c.Signal(w.ctx, id, "approved", map[string]string{"by": "ada"}))
	_, err := w.c.Wait(saga.WithActor(w.ctx, "shop"), id)
	require.NoError(t, err)
	b.open(fmt.Sprintf("/ui/runs/%s?at=%d", id, w.revisionOf(id, "await.opened.v1")))
	b.keys("]")
	b.sees(".past", "signal.received")
	b.holds(`!document.querySelector(".past").innerText.includes("await.opened")`)
	b.clean()
}
