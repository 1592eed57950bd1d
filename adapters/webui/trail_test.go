package webui_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

var trailRow = regexp.MustCompile(`<tr id="t-[\s\S]*?data-href="/ui/runs/([^"?]{36})[^"]*"[\s\S]*?class="c-what">[\s\S]*?<b>([^<]+)</b>`)

// trail returns the rows of the audit trail that a page shows, as the run's name and what happened.
func trail(body string, names map[string]string) (out []string) {
	for _, m := range trailRow.FindAllStringSubmatch(body, -1) {
		out = append(out, names[m[1]]+" "+m[2])
	}
	return out
}

func TestAuditIsSearchedAcrossRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done, back, paused := w.completed("c-1"), w.compensated("b-1"), w.waiting("w-1")
	require.NoError(t, w.c.Pause(saga.WithActor(w.ctx, "kim"), paused, "deploy"))
	w.settled()
	names := map[string]string{done.String(): "done", back.String(): "back", paused.String(): "paused"}
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"q=actor:kim", []string{"paused run.paused"}},
		{"q=what:run.paused", []string{"paused run.paused"}},
		{"q=courier+insur", []string{"back run.turned_back", "back attempt.failed"}},
		{"q=courier+saga:big-order", nil},
		{"failed=1&q=action:charge-card", []string{"paused attempt.failed", "back attempt.failed", "done attempt.failed"}},
		{"failed=1&q=action:charge-card&sort=oldest", []string{"done attempt.failed", "back attempt.failed", "paused attempt.failed"}},
		{"q=step:send-mail", []string{"done attempt.succeeded", "done attempt.started"}},
		{"q=what:run.completed+since:1h", []string{"done run.completed"}},
		{"q=what:run.completed+until:1h", nil},
		{"q=what:run.completed+" + done.String(), []string{"done run.completed"}},
	} {
		status, body, _ := w.get("/ui/audit?" + c.query)
		require.Equal(t, http.StatusOK, status, c.query)
		require.Equal(t, c.want, trail(body, names), c.query)
	}
	_, body, _ := w.get("/ui/audit?q=actor:kim")
	require.Contains(t, body, "deploy", "the reason is told")
	require.Contains(t, body, `href="/ui/audit?q=actor%3Akim"`, "an actor leads to what else they did")
	_, body, _ = w.get("/ui/audit?q=since:yesterday")
	require.Contains(t, body, "&#34;since:yesterday&#34; is not understood")
	_, body, _ = w.get("/ui/audit?q=" + uuid.NewString())
	require.Contains(t, body, "Nothing in the audit matches this search")
}

func TestPagesOfTheAuditMissNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.PageSize = 7 })
	id := w.completed("c-1")
	w.settled()
	want := 0
	for _, err := range w.log.ReadStream(w.ctx, domain.RunStream(id), 0) {
		require.NoError(t, err)
		want++
	}
	seen := map[string]bool{}
	path := "/ui/audit?q=saga:order"
	for path != "" {
		_, body, _ := w.get(path)
		for _, part := range strings.Split(body, `<tr id="t-`)[1:] {
			n, _, _ := strings.Cut(part, `"`)
			require.False(t, seen[n], "row %s is shown twice", n)
			seen[n] = true
		}
		path = ""
		if next := nextLink.FindStringSubmatch(body); next != nil {
			path = html.UnescapeString(next[1])
		}
	}
	require.Len(t, seen, want)
	status, _, _ := w.get("/ui/audit?cursor=nonsense")
	require.Equal(t, http.StatusOK, status, "a cursor that fits no more begins again")
}

// TestAuditInTheBrowser looks for who did something, and goes to the moment.
func TestAuditInTheBrowser(t *testing.T) {
	w := newWorld(t)
	id := w.waiting("web-1")
	w.completed("web-2")
	require.NoError(t, w.c.Pause(saga.WithActor(w.ctx, "kim"), id, "the bank is down"))
	w.settled()
	b := newBrowser(t, w)
	b.open("/ui/runs")
	b.keys("g")
	b.keys("a")
	b.arrives("/ui/audit")
	b.click(`.chips a[href*="failed=1"]`)
	b.holds(`location.search === "?failed=1" && document.querySelectorAll(".trail tbody tr").length === 2`)
	b.sees(".trail", "gateway answered 503")
	b.typeInto("#search", "actor:kim"+kb.Enter)
	b.sees(".empty", "Nothing in the audit matches this search")
	b.click(`.chips a:not([href*="failed"])`)
	b.sees(".trail", "the bank is down")
	b.holds(`new URLSearchParams(location.search).get("q") === "actor:kim" && document.querySelectorAll(".trail tbody tr").length === 1`)

	// What comes meanwhile shows up by itself.
	require.NoError(t, w.c.Resume(saga.WithActor(w.ctx, "kim"), id, "it is back"))
	b.sees(".trail", "it is back")
	b.keys("j")
	b.keys("j")
	b.keys(kb.Enter)
	b.holds(`location.pathname === "/ui/runs/` + id.String() + `" && document.querySelector(".audit tr:target .c-what")?.innerText === "run.paused"`)
	b.clean()
}

// TestNotesAreInTheReadersZone, beside the times of the events: in the trail, in a run's audit,
// below a step, and in an incident's history.
func TestNotesAreInTheReadersZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waits, stuck := w.waiting("w-1"), w.stuck("s-1")
	w.settled()
	group, incident := w.deskOf(stuck)
	status, body, _ := w.post("/ui/incidents", url.Values{"act": {"snooze"}, "for": {"2h"}, "reason": {"later"}, "incident": {stuck.String() + " " + incident + " charge-card"}})
	require.Equal(t, 303, status, body)
	w.settled()
	b := newBrowser(t, w)
	_, err := chromedp.Call(b.tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"})
	require.NoError(t, err)
	toured := w.toured("t-1")
	w.settled()
	for path, text := range map[string]string{
		"/ui/audit": "until ", "/ui/runs/" + waits.String() + "?tab=audit": "until ", "/ui/runs/" + stuck.String() + "?tab=audit": "until ", "/ui/runs/" + toured.String() + "?tab=audit": "until ",
		"/ui/incidents/" + incident: "until ", "/ui/incidents?group=" + group + "&state=all": "until ", "/ui/incidents?state=snoozed": "until ", "/ui/runs": "until ", "/ui/runs/" + waits.String(): "until ",
	} {
		b.open(path)
		b.sees("main", text)
		b.holds(`!/UTC|\dZ\b|T\d\d:\d\d/.test(document.querySelector("main").innerText)`)
	}
	b.clean()
}
