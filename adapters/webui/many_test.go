package webui_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestWhatAnActOnManyRunsWouldDoIsShownFirst, and nothing is done without a reason or a scope.
func TestWhatAnActOnManyRunsWouldDoIsShownFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	a, b, stuck := w.waiting("w-1"), w.waiting("w-2"), w.stuck("s-1")
	w.settled()
	as := func(who string) []string { return []string{"Cookie", "session=" + who} }
	all := url.Values{"act": {"cancel"}, "q": {""}, "state": {""}}
	status, body, _ := w.post("/ui/bulk", all, as("ops")...)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "Cancel 2 runs?")
	require.Contains(t, body, "1 would refuse.", "the stuck one is being undone already")
	require.Contains(t, body, "would refuse: the run is already being undone")
	require.Contains(t, body, "It would undo: ")
	require.Contains(t, body, "8 undos of pack-item")
	require.Contains(t, body, "2 of reserve-stock")
	require.Contains(t, body, a.String())
	all.Set("first", "1")
	_, body, _ = w.post("/ui/bulk", all, as("ops")...)
	require.Contains(t, body, "Cancel 1 run?")
	all.Set("sure", "1")
	all.Set("first", "<many>")
	status, body, _ = w.post("/ui/bulk", all, as("ops")...)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "1 or more, and not")
	require.Contains(t, body, `value="&lt;many&gt;"`, "what was typed is kept")
	all.Set("first", "")
	status, body, _ = w.post("/ui/bulk", all, as("ops")...)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "Nothing was done: say why")
	all.Set("reason", "typed")
	status, body, _ = w.post("/ui/bulk", all, as("viewer")...)
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, body, ">typed</textarea>")
	require.Regexp(t, `name="sure"[^>]* disabled`, body)
	status, body, _ = w.post("/ui/bulk", all, as("recalc")...)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.NotContains(t, body, a.String(), "who is bound to another saga finds no run")
	for q, want := range map[string]string{"saga:nope": "no saga", "state:ended": ""} {
		status, body, _ = w.post("/ui/bulk", url.Values{"act": {"cancel"}, "q": {q}}, as("ops")...)
		if want != "" {
			require.Equal(t, http.StatusUnprocessableEntity, status, q)
			require.Contains(t, body, "Nothing was done: ", q)
		}
	}
	status, _, _ = w.post("/ui/bulk", url.Values{"act": {"explode"}, "q": {""}}, as("ops")...)
	require.Equal(t, http.StatusNotFound, status)
	for _, id := range []domain.RunID{a, b} {
		require.Equal(t, domain.RunRunning, w.state(id))
	}
	require.Equal(t, domain.RunIsStuck, w.state(stuck))

	// What was refused is told with its reason.
	status, _, head := w.post("/ui/bulk", url.Values{"act": {"retry"}, "sure": {"1"}, "reason": {"try"}, "incident": {stuck.String() + " charge-card", a.String() + " approved"}}, as("ops")...)
	require.Equal(t, http.StatusSeeOther, status)
	w.carriedOut(head.Get("Location"), as("ops")...)
	_, body, _ = w.get(head.Get("Location"), as("ops")...)
	require.Contains(t, body, "Refused:")
	require.Contains(t, body, "it has ended, or is not stuck any more")
	_, body, _ = w.get("/ui/runs", as("viewer")...)
	require.NotContains(t, body, "Refused:", "what one did is told to nobody else")
	require.Regexp(t, `value="cancel"[^>]* disabled`, body)
	_, body, _ = w.get("/ui/runs/"+stuck.String(), as("viewer")...)
	require.NotContains(t, body, "data-act=", "no button is enabled that the token may not press")
}

// TestResultsStayAndAreFollowed until they are dismissed.
func TestResultsStayAndAreFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stuck("s-1")
	w.stuck("s-2")
	w.settled()
	b := newBrowser(t, w)
	b.open("/ui/runs?state=stuck")
	b.click(".steer summary")
	b.click(`.steer button[value="retry"]`)
	b.sees("dialog h2", "Retry 2 runs?")
	b.sees("dialog .which", "order s-1")
	b.shoot("bulk-confirm")
	b.typeInto("#many-reason", "bank says it is back")
	b.click(`dialog button[name="sure"]`)
	b.sees(".act", "2 retried: 2 stuck again: card_gone")
	b.holds(`!document.querySelector("dialog[open]")`)
	b.shoot("bulk-result")
	b.screen(390, 844, "dark")
	b.shoot("bulk-result-phone")
	b.screen(1280, 860, "light")
	b.open("/ui/incidents")
	b.sees(".act", "2 stuck again")
	w.cardGone.Store(false)
	b.open("/ui/runs?state=stuck")
	b.click(".steer summary")
	b.click(`.steer button[value="retry"]`)
	b.click(`.many details:not([open]) summary`)
	b.typeInto("#many-first", "1")
	b.click(`.many details button.quiet`)
	b.sees("dialog h2", "Retry 1 run?")
	b.typeInto("#many-reason", "one first")
	b.click(`dialog button[name="sure"]`)
	b.sees(".act", "1 retried: 1 done")
	b.sees(".act", "2 retried: 2 stuck again: card_gone")
	b.click(`.act:last-child button`)
	b.holds(`document.querySelectorAll(".act").length === 1`)
	b.open("/ui/runs")
	b.holds(`document.querySelectorAll(".act").length === 1`)
	b.clean()
}

// TestALeverSaysWhatComesInItsWay where the hand is, and keeps what was typed.
func TestALeverSaysWhatComesInItsWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	id := w.waiting("w-1")
	w.settled()
	b := newBrowser(t, w)
	b.open("/ui/login?next=" + url.QueryEscape("/ui/runs/"+id.String()))
	b.typeInto("#token", "ops")
	b.click(".login button")
	b.sees("#why", "waits for signal")
	b.click(`a[data-act="pause"]`)
	b.typeInto("#lever-reason", "a long story")
	w.down.Store(true)
	b.click("dialog button.primary")
	b.sees("dialog .problem", "The server does not answer")
	b.shoot("lever-server-away")
	b.holds(`document.getElementById("lever-reason").value === "a long story"`)
	w.down.Store(false)
	run(b, chromedp.Evaluate[bool](`fetch("/ui/logout", { method: "POST", redirect: "manual" }).then(() => true)`, chromedp.EvalAwaitPromise))
	b.click("dialog button.primary")
	b.sees("dialog .problem", "Your session has ended")
	b.click("dialog .problem button")
	b.typeInto("#token", "ops")
	b.click(".login button")
	b.holds(`document.getElementById("lever-reason")?.value === "a long story"`)
	require.Equal(t, domain.RunRunning, w.state(id))
	b.click("dialog button.primary")
	b.sees("h1", "paused")
	_, note := w.acted(id, "run.paused")
	require.Contains(t, note, "a long story")
	b.clean("ERR_EMPTY_RESPONSE", "htmx:sendError", "htmx:afterRequest")
}

// TestAnActOnStuckStepsReachesRunsBelow: the search finds the run above, the confirmation has the
// stuck run below it and keeps the action of the steps. Who is bound to the saga above moves none
// of another.
func TestAnActOnStuckStepsReachesRunsBelow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	run, err := saga.Start(w.ctx, w.c, w.above, "x", saga.Key("a-1"))
	require.NoError(t, err)
	_, err = run.Wait(w.ctx, saga.OrStuckBelow())
	var stuck *saga.StuckError
	require.ErrorAs(t, err, &stuck)
	w.settled()
	ask := func(form url.Values) string {
		form.Set("act", "retry")
		_, body, _ := w.post("/ui/bulk", form, "Cookie", "session=ops")
		return body
	}
	for _, q := range []string{"saga:above", "saga:above action:explode", "saga:above state:running"} {
		body := ask(url.Values{"q": {q}})
		require.Contains(t, body, "Retry 1 run?", q)
		require.Contains(t, body, `name="run" value="`+stuck.Run.String()+`"`, q)
		require.NotContains(t, body, `value="`+run.ID.String()+`"`, q)
		require.NotContains(t, body, "not stuck any more", q)
	}
	require.Contains(t, ask(url.Values{"q": {"saga:above action:explode"}}), `name="action" value="explode"`)
	require.Contains(t, ask(url.Values{"run": {stuck.Run.String()}, "action": {"explode"}}), "Retry 1 run?")
	require.Contains(t, ask(url.Values{"run": {stuck.Run.String()}, "action": {"double"}}), "There is no run to do it to")
	_, body, _ := w.post("/ui/bulk", url.Values{"act": {"retry"}, "run": {run.ID.String()}}, "Cookie", "session=upper")
	require.Contains(t, body, "There is no run to do it to")
}

// TestAServerThatHangsIsToldWhereTheHandIs, after a bounded time; what was typed is kept, and can
// be sent again.
func TestAServerThatHangsIsToldWhereTheHandIs(t *testing.T) {
	t.Parallel()
	// What the page loads by itself would notice, and its banner move what is clicked.
	w := newWorld(t, func(c *webui.Config) { c.Refresh = time.Hour })
	id, stuck := w.waiting("w-1"), w.stuck("s-1")
	w.settled()
	group, _ := w.deskOf(stuck)
	b := newBrowser(t, w)
	impatient := func() { b.do(chromedp.Evaluate[chromedp.Void](`htmx.config.timeout = 300; undefined`)) }
	patient := func() {
		w.hangs.Store(false)
		b.do(chromedp.Evaluate[chromedp.Void](`htmx.config.timeout = 60000; undefined`))
	}
	b.open("/ui/runs/" + id.String())
	b.holds(`htmx.config.timeout >= 5000 && htmx.config.timeout <= 20000`)
	impatient()
	b.click(`a[data-act="pause"]`)
	b.typeInto("#lever-reason", "a long story")
	w.hangs.Store(true)
	b.click("dialog button.primary")
	b.sees("dialog .problem", "The server has not answered for")
	b.sees("dialog .problem", "It is not known whether this was done: it may have been. Look at the run. What you typed is kept.")
	b.holds(`document.getElementById("lever-reason").value === "a long story"`)
	b.shoot("lever-server-hangs")
	patient()
	b.click("dialog button.primary")
	b.sees("h1", "paused")
	_, note := w.acted(id, "run.paused")
	require.Contains(t, note, "a long story")

	// The desk says so, too, and keeps the choice.
	b.open("/ui/incidents")
	impatient()
	b.click("#p-" + group)
	b.typeInto("#desk-reason", "asked the bank")
	w.hangs.Store(true)
	b.click(`.bulk button[value="retry"]`)
	b.sees("dialog .problem", "Nothing was done. What you typed is kept. Try again when it is back.")
	b.click("dialog [data-close]")
	b.click(`.bulk button[value="note"]`)
	b.sees("dialog .problem", "It is not known whether this was done")
	b.click("dialog [data-close]")
	b.holds(`!document.querySelector("dialog[open]") && document.querySelector("#desk-reason").value === "asked the bank" && document.querySelector("#p-` + group + `").checked`)
	patient()
	b.click(`.bulk button[value="note"]`)
	b.sees("#note", "note: 1 incident done")
	b.clean("htmx:", "net::ERR")
}

// TestTheDeskOutlivesASession: what was chosen and typed is there after the login.
func TestTheDeskOutlivesASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded, func(c *webui.Config) { c.Refresh = time.Hour })
	stuck := w.stuck("s-1")
	w.settled()
	group, _ := w.deskOf(stuck)
	b := newBrowser(t, w)
	enter := func() {
		b.typeInto("#token", "ops")
		b.click(".login button")
	}
	b.open("/ui/login?next=/ui/incidents")
	enter()
	b.click("#p-" + group)
	b.typeInto("#desk-reason", "asked the bank")
	run(b, chromedp.Evaluate[bool](`fetch("/ui/logout", { method: "POST", redirect: "manual" }).then(() => true)`, chromedp.EvalAwaitPromise))
	b.click(`.bulk button[value="note"]`)
	b.sees("dialog .problem", "Your session has ended. Nothing was done")
	b.click("dialog .problem button")
	enter()
	b.sees("#picked", "1 chosen")
	b.holds(`document.querySelector("#desk-reason").value === "asked the bank" && document.querySelector("#p-` + group + `").checked`)
	b.click(`.bulk button[value="note"]`)
	b.sees("#note", "note: 1 incident done")
	b.clean()
}

// TestWhatTheDeskIsRefusedStaysUntilDismissed, in a sheet over the choice.
func TestWhatTheDeskIsRefusedStaysUntilDismissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stuck := w.stuck("s-1")
	w.settled()
	group, _ := w.deskOf(stuck)
	b := newBrowser(t, w)
	b.open("/ui/incidents")
	b.click("#p-" + group)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#p-` + group + `").value = "0123456789abcdef"; undefined`))
	b.typeInto("#desk-reason", "asked the bank")
	b.click(`.bulk button[value="note"]`)
	b.sees("dialog h2", "Refused")
	b.sees("dialog .problem", "no open incident")
	b.shoot("desk-refused")
	b.click("dialog button.primary")
	b.holds(`!document.querySelector("dialog[open]") && document.querySelector("#desk-reason").value === "asked the bank"`)
	b.clean("409")
}

// TestRunsThatWaitAreNotCalledRunning: not where an act on many is confirmed, nor in what became of
// it, nor in a window's title, nor where a child is unfolded.
func TestRunsThatWaitAreNotCalledRunning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waits, paused := w.waiting("w-1"), w.waiting("w-2")
	require.NoError(t, w.c.Pause(w.ctx, paused, "look"))
	w.settled()
	act := func(act string, fields url.Values) string {
		fields.Set("act", act)
		_, body, _ := w.post("/ui/bulk", fields)
		return body
	}
	body := act("cancel", url.Values{"run": {waits.String(), paused.String()}})
	require.Regexp(t, `</svg>waiting</span> <a href="/ui/runs/`+waits.String(), body)
	require.Regexp(t, `</svg>paused</span> <a href="/ui/runs/`+paused.String(), body)
	require.NotContains(t, body, "</svg>running</span>")
	act("pause", url.Values{"run": {waits.String()}, "sure": {"1"}, "reason": {"look"}})
	w.carriedOut("/ui/runs")
	_, body, _ = w.get("/ui/runs/" + waits.String())
	require.Regexp(t, `</svg>paused</span> <a href="/ui/runs/`+waits.String(), body)
	require.Contains(t, body, "<title>big-order · paused · atone</title>")
	require.NotContains(t, body, "</svg>running</span>")
	act("abandon", url.Values{"run": {waits.String()}, "sure": {"1"}, "reason": {"enough"}})
	w.carriedOut("/ui/runs")
	_, body, _ = w.get("/ui/runs")
	require.Regexp(t, `</svg>abandoned</span> <a href="/ui/runs/`+waits.String(), body)

	r, err := saga.Start(w.ctx, w.c, w.above, "x")
	require.NoError(t, err)
	below := domain.ChildRunID(r.ID, "below")
	w.until(below, "run.stuck.v1")
	require.NoError(t, w.c.Pause(w.ctx, below, "look"))
	_, body, _ = w.get("/ui/runs/" + r.ID.String() + "/step?path=below")
	require.NotContains(t, body, "</svg>running</span>")
}
