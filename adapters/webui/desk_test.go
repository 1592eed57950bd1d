package webui_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/clock"
)

// deskOf returns the run's open incident, and its group.
func (w *world) deskOf(run domain.RunID) (group, incident string) {
	w.t.Helper()
	page, err := w.read.Incidents(w.ctx, incidents.Filter{Run: run, Open: true})
	require.NoError(w.t, err)
	require.Len(w.t, page.Rows, 1)
	return page.Rows[0].Group, page.Rows[0].ID
}

// blow starts a run of the hostile saga, which gets stuck at once.
func (w *world) blow(key string) domain.RunID {
	w.t.Helper()
	r, err := saga.Start(w.ctx, w.c, w.hostile, key, saga.Key(key))
	require.NoError(w.t, err)
	_, err = r.Wait(w.ctx)
	var stuck *saga.StuckError
	require.ErrorAs(w.t, err, &stuck)
	return r.ID
}

// TestTheDeskThroughANight takes, notes, snoozes and retries a group as somebody on call does.
func TestTheDeskThroughANight(t *testing.T) {
	w := newWorld(t)
	first := w.stuck("web-1")
	w.stuck("web-2")
	other := w.blow("evil-1")
	w.settled()
	group, incident := w.deskOf(first)
	hostileGroup, _ := w.deskOf(other)
	b := newBrowser(t, w)
	b.open("/ui/incidents")
	b.holds(`document.querySelectorAll(".groups tbody tr").length === 2`)
	b.sees("#g-"+group+" .c-count", "2")
	b.sees("#g-"+group+" .c-now", "card_gone")
	b.holds(`document.querySelector("#g-` + group + ` .spark path").getAttribute("d") !== ""`)

	// Keys choose; the choice and what was typed outlive news.
	b.keys("j")
	b.keys("x")
	b.sees("#picked", "1 chosen")
	b.holds(`document.querySelector("#p-` + group + `").checked`)
	b.do(chromedp.SendKeys(chromedp.CSS("#desk-reason"), "asked the bank"))
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur(); undefined`))
	w.stuck("web-3")
	b.sees("#g-"+group+" .c-count", "3")
	b.holds(`document.querySelector("#p-` + group + `").checked && document.querySelector("#desk-reason").value === "asked the bank"`)
	b.click(`.bulk button[value="note"]`)
	b.sees("#note", "note: 3 incidents done")
	b.sees("#g-"+group, "asked the bank")
	b.click("#p-" + group)
	b.click(`.bulk button[value="take"]`)
	b.sees("#note", "take: 3 incidents done")
	b.sees("#g-"+group+" .assignee", "local")

	// A snooze hides the group, with those that arrive; the tab has it, and wakes it.
	b.click("#p-" + group)
	b.click(`.bulk button[value="snooze"]`)
	b.sees("#note", "snooze: 1 group done")
	b.holds(`document.querySelector("#g-` + group + `") === null`)
	w.stuck("web-4")
	b.click(`.chips a[href*="state=snoozed"]`)
	b.sees("#g-"+group, "snoozed")
	b.sees("#g-"+group+" .c-count", "4")
	b.click("#p-" + group)
	b.click(".more summary")
	b.click(`.bulk button[value="wake"]`)
	b.sees("#note", "wake: 1 group done")
	b.sees(".empty", "Nothing is snoozed")

	// The group opens to its incidents, and one of them to its thread.
	b.open("/ui/incidents?group=" + group)
	b.sees("h1", "charge-card")
	b.holds(`document.querySelectorAll(".each tbody tr").length === 4`)
	b.sees(".each", "web-4")
	b.sees(".each .label", "tenant=globex")
	b.shoot("desk-group")
	b.open("/ui/incidents/" + incident)
	b.sees(".thread", "asked the bank")
	b.sees(".thread", "assigned to local by local")
	b.holds(`document.querySelector("#picked").innerText === "1 chosen"`)
	b.click(".more summary")
	b.typeInto("#desk-to", "bob")
	b.click(`.bulk button[value="assign"]`)
	b.sees("#note", "assign: 1 incident done")
	b.arrives("/ui/incidents/" + incident)
	b.sees(".thread", "assigned to bob by local")

	// A retry of the group that fails again reopens the same incidents, with their histories.
	b.open("/ui/incidents")
	b.click("#p-" + group)
	b.typeInto("#desk-reason", "the bank is back")
	b.click(`.bulk button[value="retry"]`)
	b.sees("dialog h2", "Retry 4 runs?")
	b.sees("dialog .which", "order web-4 at charge-card")
	b.holds(`document.getElementById("many-reason").value === "the bank is back"`)
	b.shoot("desk-confirm")
	b.click(`dialog button[name="sure"]`)
	b.sees(".act", "4 retried: 4 stuck again: card_gone")
	b.arrives("/ui/incidents")
	b.sees("#g-"+group+" .c-count", "4")
	b.shoot("desk-result")
	b.open("/ui/incidents/" + incident)
	b.sees(".why .pill", "open again")
	b.sees(".thread", "failed again")
	b.sees(".thread", "asked the bank")
	b.open("/ui/incidents?state=resolved")
	b.sees(".empty", "Nothing has been resolved yet")

	// Only what is resolved is listed as that.
	w.cardGone.Store(false)
	b.open("/ui/incidents")
	b.click("#p-" + group)
	b.typeInto("#desk-reason", "now it is")
	b.click(`.bulk button[value="retry"]`)
	b.click(`dialog button[name="sure"]`)
	b.sees(".act", "4 retried: 4 done")
	b.sees(".act", "4 retried: 4 stuck again") // until it is dismissed
	b.holds(`document.querySelector("#g-` + group + `") === null && document.querySelector("#g-` + hostileGroup + `") !== null`)
	b.open("/ui/incidents?state=resolved")
	b.holds(`document.querySelectorAll(".each tbody tr").length === 4`)
	b.sees(".each .c-how", "now it is")
	b.holds(`document.querySelector(".each input[name=incident]") === null`)
	b.clean()
}

// TestTheDeskIsSearched by what only incidents have.
func TestTheDeskIsSearched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.stuck("web-1"), w.stuck("web-2")
	w.settled()
	group, incident := w.deskOf(first)
	_, other := w.deskOf(second)
	post := func(form url.Values, want int) string {
		status, body, head := w.post("/ui/incidents", form)
		require.Equal(t, want, status, body)
		w.settled()
		return body + head.Get("Location")
	}
	choice := first.String() + " " + incident + " charge-card"
	post(url.Values{"act": {"assign"}, "to": {"ada"}, "incident": {choice}}, http.StatusSeeOther)
	for q, want := range map[string]int{"assignee:ada": 1, "assignee:bob": 0, "group:" + group: 2, "state:open": 2, "state:resolved": 0, "state:open assignee:ada card": 1, "action:charge-card": 2} {
		status, body, _ := w.get("/ui/incidents?q=" + url.QueryEscape(q))
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, want, strings.Count(body, `<tr id="i-`), q)
	}
	_, body, _ := w.get("/ui/incidents?q=" + url.QueryEscape("asignee:ada state:opn"))
	require.Contains(t, body, "did you mean assignee?")
	require.Contains(t, body, "did you mean open?")
	require.Contains(t, body, "Nothing was searched")

	// What was typed and chosen comes back with what is wrong.
	body = post(url.Values{"act": {"note"}, "incident": {choice}}, http.StatusUnprocessableEntity)
	require.Contains(t, body, "Write the note into the field")
	body = post(url.Values{"act": {"snooze"}, "for": {"soon"}, "incident": {group}, "to": {"kim"}}, http.StatusUnprocessableEntity)
	require.Contains(t, body, "how long the snooze lasts")
	require.Contains(t, body, `value="`+group+`" checked`)
	require.Contains(t, body, `value="kim"`)
	// Levers are asked for first, by another form.
	for _, act := range []string{"fly", "retry", "abandon"} {
		post(url.Values{"act": {act}, "reason": {"x"}, "incident": {group}}, http.StatusNotFound)
	}
	post(url.Values{"act": {"note"}, "reason": {"x"}, "incident": {"everything"}}, http.StatusNotFound)
	body = post(url.Values{"act": {"note"}, "reason": {"x"}, "incident": {"0123456789abcdef"}}, http.StatusConflict)
	require.Contains(t, body, "no open incident")
	status, body, _ := w.post("/ui/bulk", url.Values{"act": {"retry"}, "incident": {"0123456789abcdef", group}})
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "No incident of group 0123456789abcdef is open any more.")
	require.Contains(t, body, "Retry 2 runs?")
	status, _, _ = w.post("/ui/bulk", url.Values{"act": {"retry"}, "incident": {"everything"}})
	require.Equal(t, http.StatusNotFound, status)
	body = post(url.Values{"act": {"snooze"}, "for": {"2h"}, "incident": {second.String() + " " + other + " charge-card"}, "back": {other}}, http.StatusSeeOther)
	require.Contains(t, body, "/ui/incidents/"+other+"?")
	_, body, _ = w.get("/ui/incidents?each=1")
	require.Equal(t, 1, strings.Count(body, `<tr id="i-`), "the other one is snoozed by itself")
	for _, path := range []string{"/ui/incidents?state=snoozed", "/ui/incidents?q=state:snoozed"} {
		_, body, _ = w.get(path)
		require.Equal(t, 1, strings.Count(body, `<tr id="i-`), path)
	}
	status, _, _ = w.get("/ui/incidents/nothing")
	require.Equal(t, http.StatusNotFound, status)

	// Abandoning the runs of a group acts on each once, though it is chosen twice.
	form := url.Values{"act": {"abandon"}, "reason": {"give up"}, "incident": {group, choice}}
	_, body, _ = w.post("/ui/bulk", form)
	require.Contains(t, body, "Abandon 2 runs?")
	require.Contains(t, body, "It would leave without their undo: ")
	require.Equal(t, domain.RunIsStuck, w.state(first))
	form.Set("sure", "1")
	status, _, _ = w.post("/ui/bulk", form)
	require.Equal(t, http.StatusSeeOther, status)
	for _, id := range []domain.RunID{first, second} {
		w.until(id, "run.abandoned.v1")
	}
}

// TestTheDeskOfWhoMayOnlyRead has no box and no lever, and shows nothing of other sagas.
func TestTheDeskOfWhoMayOnlyRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	id := w.stuck("s-1")
	w.settled()
	group, incident := w.deskOf(id)
	paths := []string{"/ui/incidents", "/ui/incidents?each=1", "/ui/incidents?group=" + group, "/ui/incidents/" + incident}
	for _, path := range paths {
		_, body, _ := w.get(path, "Cookie", "session=viewer")
		require.Contains(t, body, "card_gone", path)
		require.NotContains(t, body, `name="act"`, path)
		require.NotContains(t, body, `name="incident"`, path)
	}
	for _, act := range []string{"note", "take", "snooze", "retry"} {
		status, _, _ := w.post("/ui/incidents", url.Values{"act": {act}, "reason": {"x"}, "for": {"2h"}, "incident": {group}}, "Cookie", "session=viewer")
		require.Equal(t, http.StatusForbidden, status, act)
	}
	for _, path := range append(paths, "/ui/incidents?state=all", "/ui/incidents?q=group:"+group, "/ui/incidents?state=snoozed") {
		_, body, _ := w.get(path, "Cookie", "session=recalc")
		require.NotContains(t, body, "card_gone", path)
		require.NotContains(t, body, "s-1", path)
	}
	for _, form := range []url.Values{{"act": {"retry"}, "incident": {group}}, {"act": {"cancel"}, "sure": {"1"}, "reason": {"x"}, "incident": {group, id.String() + " " + incident + " charge-card"}}} {
		_, body, _ := w.post("/ui/bulk", form, "Cookie", "session=recalc")
		require.NotContains(t, body, "s-1")
		require.Contains(t, body, "There is no run to do it to")
	}
	for _, act := range []string{"note", "snooze"} {
		status, body, _ := w.post("/ui/incidents", url.Values{"act": {act}, "reason": {"x"}, "for": {"2h"}, "incident": {group, id.String() + " " + incident + " charge-card"}}, "Cookie", "session=recalc")
		require.Equal(t, http.StatusConflict, status, act)
		require.NotContains(t, body, "card_gone", act)
	}
	require.Equal(t, domain.RunIsStuck, w.state(id))
}

// TestTheDeskShowsHostileTextAsText of errors, notes, reasons and names.
func TestTheDeskShowsHostileTextAsText(t *testing.T) {
	w := newWorld(t)
	id := w.blow("evil-1")
	w.settled()
	group, incident := w.deskOf(id)
	text := strings.ReplaceAll(hostile, "\u202e", "")
	for _, form := range []url.Values{
		{"act": {"note"}, "reason": {strings.Repeat(text+" ", 40)}, "incident": {group}}, {"act": {"assign"}, "to": {text}, "reason": {text}, "incident": {group}},
		{"act": {"snooze"}, "for": {"2h"}, "reason": {text}, "incident": {group}},
	} {
		status, body, _ := w.post("/ui/incidents", form)
		require.Equal(t, http.StatusSeeOther, status, body)
	}
	w.settled()
	b := newBrowser(t, w)
	b.screen(390, 860, "dark")
	for _, path := range []string{"/ui/incidents?state=snoozed", "/ui/incidents?group=" + group, "/ui/incidents/" + incident, "/ui/incidents?each=1&q=state:open"} {
		_, body, _ := w.get(path)
		require.NotContains(t, body, "<script>window.hacked", path)
		require.NotContains(t, body, "\u202e", path)
		b.open(path)
		b.sees("main", "onerror=")
		b.holds(`window.hacked === undefined && document.querySelector("main img, main script, main [onload], main [onerror]") === null`)
		b.holds(`document.documentElement.scrollWidth <= innerWidth`)
	}
	b.shoot("desk-hostile")
	b.clean()
}

// TestPictureOfTheDesk has a night behind it: the picture of the docs, ATONE_SCREENSHOTS has it.
func TestPictureOfTheDesk(t *testing.T) {
	past := clock.NewManual(time.Now().Add(-23 * time.Hour))
	w := newWorldOf(t, time.Millisecond, saga.Config{Clock: past})
	var groups []string
	for hour := range 45 {
		for reason, often := range [][2]int{{7, 3}, {9, 5}, {11, 4}, {13, 8}, {5, 20}, {44, 9}} {
			if hour < 4*reason || hour%often[0] > often[1]/4 {
				continue
			}
			for i := range 1 + (hour*often[1])%4 {
				r, err := saga.Start(w.ctx, w.c, w.night, reason+reason%3*8+40*(hour+50*i), saga.Key(fmt.Sprintf("invoice-%d", 4100+hour*10+i+1000*reason)))
				require.NoError(t, err)
				_, err = r.Wait(w.ctx)
				var stuck *saga.StuckError
				require.ErrorAs(t, err, &stuck)
			}
		}
		past.Advance(30 * time.Minute)
	}
	w.settled()
	page, err := w.read.IncidentGroups(w.ctx, incidents.GroupFilter{})
	require.NoError(t, err)
	for i := range page.Rows {
		groups = append(groups, page.Rows[i].ID)
	}
	require.Len(t, groups, 6)
	post := func(form url.Values) {
		status, body, _ := w.post("/ui/incidents", form)
		require.Equal(t, http.StatusSeeOther, status, body)
	}
	for i, note := range []string{"called them: their mainframe is back at 9:00", "", "new mandates are in the mail"} {
		if note != "" {
			post(url.Values{"act": {"note"}, "reason": {note}, "incident": {groups[i]}})
		}
		post(url.Values{"act": {"assign"}, "to": {[]string{"ada", "kim", "ada"}[i]}, "incident": {groups[i]}})
	}
	w.settled()
	b := newBrowser(t, w)
	b.screen(1280, 640, "light")
	b.open("/ui/incidents")
	b.click("#p-" + groups[0])
	b.sees("#picked", "1 chosen")
	b.holds(`document.querySelectorAll(".groups tbody tr").length === 6`)
	b.shoot("incidents-desk")
	b.open("/ui/incidents?each=1")
	b.holds(`(p => p.length > 0 && p.every(p => p.querySelector("svg.mark path")))([...document.querySelectorAll(".inc .pill")])`)
	b.clean()
}

// TestFiveThousandIncidents looks at a bad night: 5,000 runs stuck for forty reasons.
func TestFiveThousandIncidents(t *testing.T) {
	w := newWorld(t)
	const runs = 5_000
	reasons := len(banks) * len(sayings)
	started := make([]*saga.Run[int], 0, runs)
	for i := range runs {
		r, err := saga.Start(w.ctx, w.c, w.night, i, saga.Key(fmt.Sprintf("n-%d", i)))
		require.NoError(t, err)
		started = append(started, r)
	}
	for _, r := range started {
		_, err := r.Wait(w.ctx)
		var stuck *saga.StuckError
		require.ErrorAs(t, err, &stuck)
	}
	w.settled()
	group, _ := w.deskOf(started[0].ID)
	require.Equal(t, reasons, strings.Count(w.timed("/ui/incidents"), `<tr id="g-`))
	for _, path := range []string{"/ui/incidents?each=1", "/ui/incidents?group=" + group, "/ui/incidents?q=pay", "/ui/incidents?state=resolved", "/ui/incidents?state=snoozed"} {
		w.timed(path)
	}
	t.Logf("groups: %d bytes in gzip, a group: %d", w.weight("/ui/incidents", "gzip"), w.weight("/ui/incidents?group="+group, "gzip"))
	b := newBrowser(t, w)
	begun := time.Now()
	b.open("/ui/incidents")
	b.holds(`document.querySelectorAll(".groups tbody tr").length === 40 && document.querySelectorAll("*").length <= 3000`)
	t.Logf("open, in Chromium: %v", time.Since(begun))
	b.shoot("desk-5000")
	begun = time.Now()
	b.click("#p-" + group)
	b.click(`.bulk button[value="retry"]`)
	b.sees("dialog h2", fmt.Sprintf("Retry %d runs?", runs/reasons))
	t.Logf("asked first, in Chromium: %v", time.Since(begun))
	b.typeInto("#many-reason", "again")
	b.click(`dialog button[name="sure"]`)
	b.sees(".act", fmt.Sprintf("%[1]d retried: %[1]d stuck again", runs/reasons))
	t.Logf("a retry of %d runs: %v", runs/reasons, time.Since(begun))
	b.clean()
}
