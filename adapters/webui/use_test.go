package webui_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/saga"
)

// TestOnCall does what a person on call does: looks, filters, opens, cancels.
func TestOnCall(t *testing.T) {
	w := newWorld(t)
	w.completed("web-1")
	w.stuck("web-2")
	w.settled()
	b := newBrowser(t, w)
	b.open("/ui/runs")
	b.sees(".runs tr.t-stuck", "card_gone")
	b.holds(`document.title.startsWith("(1) Runs")`)

	// A run that begins now shows up by itself.
	b.do(chromedp.Evaluate[chromedp.Void](`window.sameDocument = true; undefined`))
	waiting := w.waiting("web-3")
	b.sees(".runs", "web-3")
	b.holds(`window.sameDocument === true`)

	b.click(`a.chip.t-stuck`)
	b.holds(`location.search === "?state=stuck" && document.querySelectorAll(".runs tbody tr").length === 1`)
	b.open("/ui/runs")
	b.typeInto("#search", "saga:big-order"+kb.Enter)
	b.holds(`new URLSearchParams(location.search).get("q") === "saga:big-order" && document.querySelectorAll(".runs tbody tr").length === 1`)
	b.click(".runs tbody tr .c-run a")
	b.arrives("/ui/runs/" + waiting.String())
	b.sees("#why", "waits for signal approved")

	// The lever shows what it would do, wants a reason, and does it.
	b.click(`[data-act="cancel"]`)
	b.sees("dialog[open] .waves", "reserve-stock")
	b.click("dialog[open] form.lever .buttons button")
	b.holds(`document.querySelector("#lever-reason:invalid") !== null && document.querySelector("dialog[open]") !== null`)
	require.Equal(t, "running", string(w.state(waiting)))
	b.typeInto("#lever-reason", "the customer called")
	b.click("dialog[open] form.lever .buttons button")
	b.sees(".act", "1 cancelled: 1 done")
	b.sees("h1 .pill", "cancelled")
	b.sees("#why", "the customer called")
	b.holds(`!location.search.includes("note")`)
	actor, _ := w.acted(waiting, "run.turned_back")
	require.Equal(t, "local", actor)
	b.clean()
}

// TestServerThatIsGone must not pass unseen: what the page shows is old then.
func TestServerThatIsGone(t *testing.T) {
	w := newWorld(t)
	w.waiting("web-1")
	w.settled()
	b := newBrowser(t, w)
	b.open("/ui/runs")
	b.holds(`document.querySelector("#pulse").dataset.state === "on" && document.querySelector("#offline").hidden`)
	w.down.Store(true)
	b.sees("#offline", "The server does not answer. What you see is from ")
	b.shoot("offline")
	b.holds(`document.querySelectorAll(".runs tbody tr").length === 1`)
	w.down.Store(false)
	b.holds(`document.querySelector("#pulse").dataset.state === "on" && document.querySelector("#offline").hidden`)
	b.clean("net::ERR", "htmx:") // htmx tells the console too
}

// TestAStepThatDoesNotComeSaysSo in its place, whatever came in its way, and can be asked for
// again.
func TestAStepThatDoesNotComeSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Refresh = time.Hour })
	id := w.waiting("web-1")
	b := newBrowser(t, w)
	const step = `[data-step="charge-card"]`
	b.open("/ui/runs/" + id.String())
	w.down.Store(true)
	b.click(step + " summary")
	b.sees(step+" .tl-open", "The server does not answer.")
	w.down.Store(false)
	w.broken.Store(true)
	b.click(step + " .tl-open button")
	b.sees(step+" .tl-open", "The server answers with an error (500).")
	b.shoot("step-missing")
	w.broken.Store(false)
	w.hangs.Store(true)
	b.do(chromedp.Evaluate[chromedp.Void](`htmx.config.timeout = 300; undefined`))
	b.click(step + " .tl-open button")
	b.sees(step+" .tl-open", "The server has not answered for")
	w.hangs.Store(false)
	b.click(step + " summary")
	b.do(chromedp.Evaluate[chromedp.Void](`htmx.config.timeout = 60000; undefined`))
	b.click(step + " summary") // to unfold it again asks again
	b.sees(step+" .tl-open", "gateway answered 503")

	// What is refused says why.
	b.do(chromedp.Evaluate[chromedp.Void](`{ const s = document.querySelector('[data-step="reserve-stock"] .tl-open'); s.setAttribute("hx-get", s.getAttribute("hx-get").replace("reserve-stock", "no-step")) }`))
	b.click(`[data-step="reserve-stock"] summary`)
	b.sees(`[data-step="reserve-stock"] .tl-open`, "The server refuses this: step no-step of run "+id.String())
	b.clean("net::ERR", "htmx:", "status of 404", "status of 500", "Status Error Code")
}

// TestAnActThatIsFollowedSaysThatNoNewsComes, and that it could not be dismissed.
func TestAnActThatIsFollowedSaysThatNoNewsComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Refresh = time.Hour })
	id := w.waiting("web-1")
	b := newBrowser(t, w)
	b.open("/ui/runs/" + id.String())
	b.click(`a[data-act="resume"], a[data-act="pause"]`)
	b.typeInto("#lever-reason", "a while")
	b.click("dialog button.primary")
	b.sees("h1", "paused")
	b.click(`a[data-act="resume"]`)
	b.typeInto("#lever-reason", "go on")
	b.click("dialog button.primary")
	b.sees(".act", "1 resumed")
	w.down.Store(true)
	b.sees(".act", "The server does not answer. What becomes of this is not known; the page goes on asking.")
	b.click(".act form button")
	b.sees(".act", "It is not known whether it was dismissed: try again.")
	w.down.Store(false)
	b.holds(`!document.querySelector(".act [data-missing]")`)
	b.click(".act form button")
	b.holds(`!document.querySelector(".act")`)
	b.clean("net::ERR", "htmx:")
}

// TestDeskInTheBrowser settles incidents together.
func TestDeskInTheBrowser(t *testing.T) {
	w := newWorld(t)
	w.stuck("web-1")
	w.stuck("web-2")
	w.settled()
	w.cardGone.Store(false)
	b := newBrowser(t, w)
	b.open("/ui/incidents?each=1")
	b.sees("#stuck-badge", "2")
	b.holds(`[...document.querySelectorAll(".bulk button")].every(b => b.disabled)`)
	b.keys("j")
	b.keys("x")
	b.sees("#picked", "1 chosen")
	b.click("#pick-all")
	b.sees("#picked", "2 chosen")

	// An incident that comes meanwhile takes nobody's choice away.
	w.cardGone.Store(true)
	last := w.stuck("web-3")
	w.cardGone.Store(false)
	b.holds(`document.querySelectorAll(".inc tbody tr").length === 3`)
	b.holds(`document.querySelectorAll("input[name=incident]:checked").length === 2`)
	b.shoot("desk-chosen")

	// What is rarely needed unfolds within the screen, and folds again by Escape or a click
	// elsewhere.
	for _, width := range []int64{390, 1280} {
		b.screen(width, 860, "light")
		b.click(".more summary")
		b.holds(`(() => { const r = document.querySelector(".more-body").getBoundingClientRect(); return r.width > 0 && r.left >= 0 && r.right <= innerWidth && r.top >= 0 })()`)
		b.shoot(fmt.Sprintf("desk-more-%d", width))
		b.keys(kb.Escape)
		b.holds(`!document.querySelector(".more").open`)
		b.click(".more summary")
		b.holds(`document.querySelector(".more").open`)
		b.click("h1")
		b.holds(`!document.querySelector(".more").open`)
	}

	b.typeInto(`.bulk input[name="reason"]`, "the bank is back")
	b.click(`.bulk button[value="retry"]`)
	b.sees("dialog h2", "Retry 2 runs?")
	b.click(`dialog button[name="sure"]`)
	b.sees(".act", "2 retried: 2 done")
	b.holds(`document.querySelectorAll(".inc tbody tr").length === 1`)
	b.sees("#stuck-badge", "1")

	b.open("/ui/incidents?state=resolved")
	b.sees(".inc", "the bank is back")
	b.open("/ui/incidents?each=1")
	b.click(`.inc tbody .c-run a`)
	b.arrives("/ui/runs/" + last.String())
	b.click(`[data-act="skip"]`)
	b.typeInto("#lever-reason", "refunded by hand")
	b.click("dialog[open] form.lever .buttons button")
	b.sees("h1 .pill", "compensated")
	b.clean()
}

// TestLookOfTheReadersChoice toggles the theme, which outlives the page.
func TestLookOfTheReadersChoice(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w)
	dark := `getComputedStyle(document.body).backgroundColor === "rgb(16, 18, 22)"`
	b.screen(1280, 860, "dark")
	b.open("/ui/runs")
	b.holds(dark)
	b.screen(1280, 860, "light")
	b.holds("!(" + dark + ")")
	b.click("#theme")
	b.holds(dark)
	b.open("/ui/sagas")
	b.holds(dark)
	b.click("#theme")
	b.holds("!(" + dark + ")")
	b.clean()
}

// TestKeyboardIsEnough goes through the page without a mouse.
func TestKeyboardIsEnough(t *testing.T) {
	w := newWorld(t)
	w.completed("web-1")
	id := w.waiting("web-2")
	w.settled()
	b := newBrowser(t, w)
	b.open("/ui/runs")
	b.keys(kb.Tab)
	b.holds(`document.activeElement.matches(".skip")`)
	b.keys("/")
	b.holds(`document.activeElement.id === "search"`)
	b.keys(kb.Escape)
	b.keys("j")
	b.keys("j")
	b.keys("k")
	b.holds(`document.activeElement.id === "r-` + id.String() + `"`)
	b.keys(kb.Enter)
	b.arrives("/ui/runs/" + id.String())
	b.keys("+")
	b.holds(`document.querySelector("#timeline").className === "tl z1" && document.querySelector("#zoom-now").textContent === "2×"`)
	b.keys("-")
	b.holds(`document.querySelector("#timeline").className === "tl z0"`)
	b.keys("3")
	b.arrives("/ui/runs/" + id.String() + "?tab=audit")
	b.holds(`document.querySelector(".audit") !== null`)
	b.keys("?")
	b.holds(`document.querySelector("#help").open`)
	b.keys(kb.Escape)
	b.holds(`!document.querySelector("#help").open`)
	b.keys("g")
	b.keys("i")
	b.arrives("/ui/incidents")
	b.clean()
}

// TestWhatIsOpenStaysOpen unfolds a step of a run that goes on.
func TestWhatIsOpenStaysOpen(t *testing.T) {
	w := newWorld(t)
	id := w.waiting("web-1")
	b := newBrowser(t, w)
	b.open("/ui/runs/" + id.String())
	b.click(`[data-step="charge-card"] summary`)
	b.sees(`[data-step="charge-card"] .tl-open`, "gateway answered 503")
	b.sees(`[data-step="charge-card"] .tl-open pre`, `"amount": 480`)
	b.keys("+")
	b.shoot("step-open")
	require.NoError(t, w.c.Signal(w.ctx, id, "approved", map[string]string{"by": "ada"}))
	b.sees("h1 .pill", "completed")
	b.holds(`document.querySelector('[data-step="send-mail"]') !== null`)
	b.holds(`document.querySelector('[data-step="charge-card"]').open && document.querySelector("#timeline").className === "tl z1"`)
	b.sees(`[data-step="charge-card"] .tl-open`, "gateway answered 503")
	b.clean()
}

// TestHostilePayloadsStayText shows payloads, errors, keys, labels, reasons, signals and events
// that try to break out.
func TestHostilePayloadsStayText(t *testing.T) {
	w := newWorld(t)
	ctx := saga.WithActor(w.ctx, `<b onmouseover="hacked=1">mallory`)
	r, err := saga.Start(ctx, w.c, w.hostile, hostile, saga.Key(`<svg/onload=hacked=1>`), saga.Labels(map[string]string{`<i>`: `"><script>hacked=1</script>`}))
	require.NoError(t, err)
	w.until(r.ID, "run.stuck.v1")
	require.NoError(t, w.c.Pause(ctx, r.ID, hostile))
	_, err = w.c.EmitEvent(ctx, `<img src=x onerror=hacked=1>`, `"><script>hacked=1</script>`, []byte(fmt.Sprintf("%q", "<script>hacked=1</script>")), saga.EmitOptions{Correlation: `'"><svg onload=hacked=1>`})
	require.NoError(t, err)
	w.settled()
	b := newBrowser(t, w)
	b.screen(390, 860, "dark")
	run := "/ui/runs/" + r.ID.String()
	for _, path := range []string{"/ui/runs", "/ui/runs?q=%22%3E%3Cscript%3Ehacked%3D1%3C/script%3E", run, run + "?tab=plan", run + "?tab=audit", run + "?tab=data", run + "?tab=undo", run + "?tab=outlook",
		run + "/step?path=explode", run + "/lever/skip?step=explode", "/ui/incidents", "/ui/incidents?each=1", "/ui/incidents?state=all", "/ui/incidents?group=%22%3E%3Csvg/onload%3Dhacked%3D1%3E", "/ui/audit", "/ui/audit?q=%22%3E%3Cscript%3Ehacked%3D1%3C/script%3E", run + "?at=2", "/ui/sagas", "/ui/sagas/hostile", "/ui/stats?range=",
		"/ui/events", "/ui/events?type=%22%3E%3Cscript%3E", run + "?note=%3Cscript%3Ehacked%3D1%3C/script%3E"} {
		status, body, _ := w.get(path)
		require.Equal(t, http.StatusOK, status, path)
		require.NotContains(t, body, "<script>window.hacked", path)
		require.NotContains(t, body, "<script>hacked", path)
		require.NotContains(t, body, "\u202e", "%s: text that turns round what follows", path)
		b.open(path)
		b.holds(`window.hacked === undefined && document.querySelector("img, main script, main [onload], main [onerror], main [onmouseover]") === null`)
		b.holds(`document.documentElement.scrollWidth <= innerWidth`)
	}
	for _, path := range []string{"/ui/incidents?state=%22%3E%3Csvg/onload%3Dhacked%3D1%3E", run + "?tab=audit&at=2&show=%22%3E%3Csvg/onload%3Dhacked%3D1%3E", "/ui/runs?%22%3E%3Csvg/onload%3Dhacked%3D1%3E=1"} {
		status, body, _ := w.get(path)
		require.Equal(t, http.StatusUnprocessableEntity, status, path)
		require.NotContains(t, body, "<svg/onload", path)
	}
	b.shoot("hostile-390-dark")
	b.open(run)
	b.click(`[data-step="explode"] summary`)
	b.sees(`[data-step="explode"] .tl-open`, `onerror=`)
	b.holds(`window.hacked === undefined && document.querySelector("img, main script") === null`)
	b.clean()
}

// TestASearchIsCompletedAndStatesAreToldByWordAndIcon types a search as a person does.
func TestASearchIsCompletedAndStatesAreToldByWordAndIcon(t *testing.T) {
	w := newWorld(t)
	w.completed("web-1")
	w.stuck("web-2")
	w.waiting("web-3")
	paused := w.waiting("web-4")
	require.NoError(t, w.c.Pause(w.ctx, paused, "audit"))
	w.settled()
	b := newBrowser(t, w)
	for _, width := range []int64{1280, 390} {
		for _, theme := range []string{"light", "dark"} {
			b.screen(width, 860, theme)
			b.open("/ui/runs")
			b.sees(".runs .pill.t-paused", "paused")
			b.sees(".runs .pill.t-waiting", "waiting")
			b.holds(`[...document.querySelectorAll(".runs .pill")].every(p => p.querySelector("svg.mark path"))`)
			b.sees(".chips .t-paused", "paused 1")
			b.holds(`document.documentElement.scrollWidth <= innerWidth`)
			b.shoot(fmt.Sprintf("states-%d-%s", width, theme))
		}
	}
	b.screen(1280, 860, "light")
	b.open("/ui/runs/" + paused.String())
	b.sees("h1 .pill.t-paused", "paused")
	b.holds(`document.querySelectorAll("h1 .pill").length === 1 && document.querySelector("h1 .pill svg.mark path") !== null`)
	b.shoot("run-paused-1280-light")
	b.open("/ui/runs")
	b.typeInto("#search", "state:pau")
	b.holds(`document.querySelector('#terms option[value="state:paused"]') !== null`)
	b.typeInto("#search", "sed saga:")
	b.holds(`document.querySelector('#terms option[value="state:paused saga:big-order"]') !== null`)
	b.typeInto("#search", "big-ordr"+kb.Enter)
	b.sees(".problem", "did you mean big-order?")
	b.sees(".empty", "Nothing was searched")
	b.shoot("search-misspelt-1280-light")
	b.open("/ui/runs?q=saga:big-order+state:unfinished")
	b.sees(".chips", "paused 1")
	b.holds(`document.querySelectorAll(".runs tbody tr").length === 2`)
	b.clean()
}
