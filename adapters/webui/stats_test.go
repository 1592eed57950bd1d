package webui_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestStatisticsTellWhenAndLeadToTheRuns reads the charts as a person elsewhere does, and follows
// their columns to the runs.
func TestStatisticsTellWhenAndLeadToTheRuns(t *testing.T) {
	w := newWorld(t)
	w.completed("web-1")
	w.compensated("web-2")
	w.stuck("web-3")
	w.waiting("web-4")
	w.settled()
	b := newBrowser(t, w)
	_, err := chromedp.Call(b.tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"})
	require.NoError(t, err)
	for _, span := range []string{"1h", "24h", "7d"} {
		b.open("/ui/stats?range=" + span)
		b.sees(".k-fail", "2")
		b.sees(".k-fail", "1 compensated, 0 abandoned, 1 stuck")
		b.sees(".k-stuck", "1 waiting")
		b.sees("#zone", "times in Asia/Calcutta")
		b.holds(`document.querySelectorAll(".chart").length === 4`)
		b.holds(`[...document.querySelectorAll(".chart")].every(c => c.querySelector(".zone").textContent === document.querySelector("#zone").textContent)`)
		b.holds(`[...document.querySelectorAll(".chart")].every(c => c.querySelectorAll(".chart-y text").length >= 2 && c.querySelectorAll(".chart-x text").length >= 4)`)
		b.holds(`[...document.querySelectorAll(".chart-y")].every(y => { const v = [...y.querySelectorAll("text")]; return v[0].textContent.startsWith("0") && v.every(t => t.getBoundingClientRect().left >= 0) })`)
		b.holds(`[...document.querySelectorAll(".chart-x")].every(x => [...x.querySelectorAll("text:not(.odd)")].every(t => { const [a, b] = [t.getBoundingClientRect(), x.getBoundingClientRect()]; return a.right <= b.right + 1 && a.left >= b.left - 1 }))`)
		b.shoot("stats-" + span)
	}
	// Half past: the zone is the reader's.
	b.open("/ui/stats?range=24h")
	b.holds(`[...document.querySelectorAll(".chart-x text")].every(t => t.textContent.endsWith(":30"))`)

	// The last column that has something leads to the runs that ended then.
	last := func(chart int) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".chart:nth-child(%d) .cols a")].filter(a => a.querySelector("rect:not(.whole)")).pop()`, chart)
	}
	b.holds(last(1) + `.getAttribute("aria-label").includes("1 completed, 1 compensated")`)
	b.do(chromedp.Evaluate[chromedp.Void](last(1) + `.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true})); undefined`))
	b.holds(`new URLSearchParams(location.search).get("q")?.startsWith("ended-since:") && document.querySelectorAll(".runs tbody tr").length === 2`)
	b.open("/ui/stats?range=24h&saga=order")
	b.do(chromedp.Evaluate[chromedp.Void](last(2) + `.focus(); undefined`))
	b.keys(kb.Enter)
	b.holds(`new URLSearchParams(location.search).get("q")?.startsWith("saga:order ended-since:") && document.querySelectorAll(".runs tbody tr").length === 1`)
	b.open("/ui/stats?range=24h")
	b.do(chromedp.Evaluate[chromedp.Void](last(4) + `.focus(); undefined`))
	b.keys(kb.ArrowLeft)
	b.holds(`document.activeElement.matches(".cols a") && document.activeElement.nextElementSibling === ` + last(4))
	b.keys(kb.ArrowRight)
	b.keys(kb.Enter)
	b.holds(`location.pathname === "/ui/audit" && document.querySelectorAll(".trail tbody tr").length === 1`)
	b.clean()
}

// TestAnAddressWithASagaThatDoesNotExistSaysSo on every page that takes one.
func TestAnAddressWithASagaThatDoesNotExistSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, page := range []string{"/ui/stats", "/ui/runs", "/ui/incidents", "/ui/rejected"} {
		status, body, _ := w.get(page + "?saga=ordr")
		require.Equal(t, 422, status, page)
		require.Contains(t, body, "no saga is called ordr: did you mean order?", page)
		status, _, _ = w.get(page + "?saga=order")
		require.Equal(t, 200, status, page)
	}
	_, body, _ := w.get("/ui/runs?saga=order")
	require.Contains(t, body, `value="saga:order"`)
	status, body, _ := w.get("/ui/runs/ordr:k2")
	require.Equal(t, 404, status)
	require.Contains(t, body, "did you mean order?")
	_, _, head := w.get("/ui/?q=state:stuck")
	require.Equal(t, "/ui/runs?q=state:stuck", head.Get("Location"))
}

// TestTheStatisticsCountWaitingRunsAsTheListDoes: paused and retrying runs are not among them, and
// those that are stuck have failed. What the chart counts has another name.
func TestTheStatisticsCountWaitingRunsAsTheListDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stuck("web-1")
	w.waiting("web-2")
	require.NoError(t, w.c.Pause(w.ctx, w.waiting("web-3"), "look"))
	w.settled()
	_, list, _ := w.get("/ui/runs?state=waiting")
	require.Contains(t, list, "waiting <b>1</b>")
	_, body, _ := w.get("/ui/stats?range=24h")
	require.Contains(t, body, `<a href="/ui/runs?state=waiting">1</a> waiting`)
	require.Contains(t, body, "at rest: waiting, retrying or paused")
	require.Regexp(t, `<dt>Failed</dt><dd>1</dd><dd class="of">0 compensated, 0 abandoned, 1 stuck</dd>`, body)
	require.Contains(t, body, `<th class="num">Failure rate</th>`)
	_, body, _ = w.get("/ui/stats?range=24h&saga=order")
	require.Contains(t, body, `<a href="/ui/runs?q=saga%3Aorder&amp;state=waiting">0</a> waiting`)
}
