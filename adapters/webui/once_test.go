package webui_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

var hidden = regexp.MustCompile(`<input type="hidden" name="(once|seen)" value="([^"]+)">`)

// drawn opens a form and returns its hidden fields, with those that are filled in.
func (w *world) drawn(path string, fields url.Values) url.Values {
	w.t.Helper()
	_, body, _ := w.get(path)
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		fields.Set(m[1], m[2])
	}
	require.NotEmpty(w.t, fields.Get("once"), path)
	return fields
}

// events counts the events of some streams.
func (w *world) events(ids ...domain.RunID) (n int) {
	w.t.Helper()
	for _, id := range ids {
		for _, err := range w.log.ReadStream(w.ctx, domain.RunStream(id), 0) {
			require.NoError(w.t, err)
			n++
		}
	}
	return n
}

// runsOf counts the runs of a saga.
func (w *world) runsOf(saga string) int {
	w.t.Helper()
	w.settled()
	page, err := w.read.Runs(w.ctx, runs.Filter{Sagas: []string{saga}})
	require.NoError(w.t, err)
	return len(page.Rows)
}

// again is another page over the same coordinator, as after a restart: it remembers no form.
func (w *world) again() {
	w.t.Helper()
	page, err := webui.New(webui.Config{Coordinator: w.c, Views: w.read, Log: w.log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(w.t, err)
	server := httptest.NewServer(page)
	w.t.Cleanup(server.Close)
	w.url = server.URL
}

// TestAFormThatIsSentTwiceActsOnce, whatever it does: the second answer leads where the first did,
// and nothing is written twice.
func TestAFormThatIsSentTwiceActsOnce(t *testing.T) {
	t.Parallel()
	for name, restarted := range map[string]bool{"by one server": false, "by a server that was started anew": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			waits, stuck, other := w.waiting("w-1"), w.stuck("s-1"), w.waiting("w-2")
			done := w.completed("c-1")
			w.settled()
			run := func(id domain.RunID) string { return "/ui/runs/" + id.String() }
			for _, c := range []struct {
				name, path string
				fields     url.Values
			}{
				{"signal", run(waits) + "/lever/signal", url.Values{"signal": {"later"}, "keep": {"1"}, "output": {"1"}}},
				{"pause", run(waits) + "/lever/pause", url.Values{"reason": {"deploy"}}},
				{"retry", run(stuck) + "/lever/retry", url.Values{"reason": {"the bank is back"}, "step": {"charge-card"}}},
				{"cancel", run(other) + "/lever/cancel", url.Values{"reason": {"the customer called"}}},
				{"start", "/ui/sagas/big-order/start", url.Values{"in.id": {"o-1"}, "in.email": {"a@b"}, "in.items": {"pen"}, "in.total": {"40"}}},
				{"invoke", "/ui/actions/double/start", url.Values{"in.": {"21"}}},
				{"again", run(done) + "/again", url.Values{"input": {`{"id":"c-2","email":"a@b","items":[],"total":1}`}, "key": {"c-2"}}},
				{"hold", "/ui/actions/double/hold", url.Values{"reason": {"down"}, "do": {"hold"}}},
			} {
				form := w.drawn(c.path, c.fields)
				status, body, head := w.post(c.path, form)
				require.Equal(t, http.StatusSeeOther, status, "%s: %s", c.name, body)
				first, _, _ := strings.Cut(head.Get("Location"), "?")
				w.carriedOut("/ui/runs")
				if c.name == "retry" { // a retry that failed again could be retried again
					w.eventually(func() bool { return w.state(stuck) == domain.RunIsStuck })
				}
				before, started := w.events(waits, stuck, other, done), w.runsOf("big-order")+w.runsOf("double")+w.runsOf("order")
				if restarted {
					w.again()
				}
				if restarted && c.name == "hold" {
					continue // it says that the action is held already
				}
				status, body, head = w.post(c.path, form)
				require.Equal(t, http.StatusSeeOther, status, "%s again: %s", c.name, body)
				second, note, _ := strings.Cut(head.Get("Location"), "?")
				require.Equal(t, first, second, c.name)
				if !restarted {
					require.Contains(t, note, "done+already", c.name)
				}
				w.carriedOut("/ui/runs")
				require.Equal(t, before, w.events(waits, stuck, other, done), c.name)
				require.Equal(t, started, w.runsOf("big-order")+w.runsOf("double")+w.runsOf("order"), c.name)
			}
		})
	}
}

// TestAFormThatWasRefusedCanBeSentAgain once it is filled in, and one that is drawn anew acts anew.
func TestAFormThatWasRefusedCanBeSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.drawn("/ui/sagas/big-order/start", url.Values{"in.id": {"o-1"}, "in.email": {"a@b"}, "in.items": {"pen"}, "in.total": {"many"}})
	status, _, _ := w.post("/ui/sagas/big-order/start", form)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	form.Set("in.total", "40")
	status, _, _ = w.post("/ui/sagas/big-order/start", form)
	require.Equal(t, http.StatusSeeOther, status)
	status, _, _ = w.post("/ui/sagas/big-order/start", w.drawn("/ui/sagas/big-order/start", form))
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, 2, w.runsOf("big-order"))
}

// TestAFormThatIsSentWhileItIsCarriedOutWaitsForThat.
func TestAFormThatIsSentWhileItIsCarriedOutWaitsForThat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.drawn("/ui/sagas/big-order/start", url.Values{"in.id": {"o-1"}, "in.email": {"a@b"}, "in.items": {"pen"}, "in.total": {"40"}})
	to := make([]string, 8)
	var all sync.WaitGroup
	for i := range to {
		all.Go(func() {
			_, _, head := w.post("/ui/sagas/big-order/start", form)
			to[i], _, _ = strings.Cut(head.Get("Location"), "?")
		})
	}
	all.Wait()
	for _, path := range to {
		require.Equal(t, to[0], path)
		require.NotEmpty(t, path)
	}
	require.Equal(t, 1, w.runsOf("big-order"))
}

// TestAnAnswerThatIsLostLeavesNothingUnsaid: it is not known whether a form was carried out, the
// way to find out is at hand, what was typed is kept, and sending it again does nothing twice.
func TestAnAnswerThatIsLostLeavesNothingUnsaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Refresh = time.Hour })
	stuck := w.stuck("s-1")
	w.settled()
	group, _ := w.deskOf(stuck)
	b := newBrowser(t, w)
	impatient := func() { b.do(chromedp.Evaluate[chromedp.Void](`htmx.config.timeout = 2000; undefined`)) }
	patient := func() {
		w.loses.Store(false)
		b.do(chromedp.Evaluate[chromedp.Void](`htmx.config.timeout = 60000; undefined`))
	}
	const unknown = "It is not known whether this was done: it may have been. "

	// On the page of a form, where no dialog is open.
	b.open("/ui/sagas/big-order/start")
	impatient()
	b.do(chromedp.Evaluate[chromedp.Void](`for (const [k, v] of [["in.id", "o-1"], ["in.email", "a@b"], ["in.total", "12"]]) document.getElementById(k).value = v; undefined`))
	w.loses.Store(true)
	b.click("form.start button.primary")
	b.sees("main .problem", "The server has not answered for 2s. "+unknown)
	b.holds(`!document.querySelector("dialog[open]") && document.getElementById("in.id").value === "o-1"`)
	b.holds(`document.querySelector("main .problem a").getAttribute("href") === "/ui/runs?q=saga%3Abig-order"`)
	b.shoot("start-answer-lost")
	patient()
	b.click("form.start button.primary")
	b.sees("#note", "This was done already, as you first sent it.")
	require.Equal(t, 1, w.runsOf("big-order"))

	// With a key the run is found by it.
	b.open("/ui/sagas/big-order/start")
	impatient()
	b.do(chromedp.Evaluate[chromedp.Void](`for (const [k, v] of [["in.id", "o-2"], ["in.email", "a@b"], ["in.total", "12"], ["start-key", "k 1"]]) document.getElementById(k).value = v; undefined`))
	w.loses.Store(true)
	b.click("form.start button.primary")
	b.sees("main .problem", unknown)
	patient()
	b.click("main .problem a")
	b.sees("#why", "waits for signal approved")

	// A note of the desk is taken once, too, and another one is another note.
	b.open("/ui/incidents")
	impatient()
	b.click("#p-" + group)
	b.typeInto("#desk-reason", "asked the bank")
	w.loses.Store(true)
	b.click(`.bulk button[value="note"]`)
	b.sees("dialog .problem", unknown)
	b.click("dialog [data-close]")
	patient()
	noted := w.events(stuck)
	b.click(`.bulk button[value="note"]`)
	b.sees("#note", "This was done already")
	require.Equal(t, noted, w.events(stuck))
	b.click("#p-" + group)
	b.typeInto("#desk-reason", "asked the bank")
	b.click(`.bulk button[value="note"]`)
	b.sees("#note", "note: 1 incident done")
	require.Equal(t, noted+1, w.events(stuck))
	b.clean("htmx:", "net::ERR")
}

// TestWhatWasNeverSentIsSaidToBeUndone: a browser without a network.
func TestWhatWasNeverSentIsSaidToBeUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Refresh = time.Hour })
	id := w.waiting("w-1")
	w.url = strings.Replace(w.url, "127.0.0.1", "elsewhere.localhost", 1)
	b := newBrowser(t, w)
	b.open("/ui/runs/" + id.String() + "/lever/pause")
	b.typeInto("#lever-reason", "a long story")
	offline := func(off bool) {
		_, err := chromedp.Call(b.tab, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1})
		require.NoError(t, err)
		_, err = chromedp.Call(b.tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}}})
		require.NoError(t, err)
		b.holds(map[bool]string{true: "!navigator.onLine", false: "navigator.onLine"}[off])
	}
	offline(true)
	b.click("form.lever button.primary")
	b.sees("main .problem", "This browser is offline. Nothing was sent, so nothing was done. What you typed is kept.")
	b.shoot("lever-offline")
	offline(false)
	b.click("form.lever button.primary")
	b.sees("h1", "paused")
	b.clean("htmx:", "net::ERR")
}

// TestAnActOnManyThatIsSentTwiceIsDoneOnce, though its runs are stuck again when the second comes.
func TestAnActOnManyThatIsSentTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stuck := w.stuck("s-1")
	w.settled()
	form := url.Values{"act": {"retry"}, "run": {stuck.String() + " charge-card"}}
	_, body, _ := w.post("/ui/bulk", form)
	form.Set("once", hidden.FindStringSubmatch(body)[2])
	form.Set("sure", "1")
	form.Set("reason", "the bank is back")
	status, body, _ := w.post("/ui/bulk", form, "Referer", w.url+"/ui/runs")
	require.Equal(t, http.StatusSeeOther, status, body)
	w.carriedOut("/ui/runs")
	before := w.events(stuck)
	status, _, head := w.post("/ui/bulk", form, "Referer", w.url+"/ui/runs")
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, head.Get("Location"), "done+already")
	w.carriedOut("/ui/runs")
	require.Equal(t, before, w.events(stuck))
	_, body, _ = w.get("/ui/runs")
	require.Equal(t, 1, strings.Count(body, "1 retried: 1 stuck again"))
}
