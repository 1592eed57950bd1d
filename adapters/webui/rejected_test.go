package webui_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/rejected"
)

// strictly registers a trigger that starts orders, and rejects every event while strict is set.
func strictly(strict *atomic.Bool) func(cfg *webui.Config) {
	started := saga.Define("started", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[order] { return saga.Return(f, in.In) })
	return func(cfg *webui.Config) {
		_ = cfg.Coordinator.(*saga.Coordinator).RegisterTriggers(&saga.Trigger[order, order]{Saga: started, Type: "tea.ordered",
			Input: func(e saga.Event) (o order, err error) {
				if err = json.Unmarshal(e.Data, &o); err == nil && strict.Load() {
					err = errors.New("no such tea: " + o.Note)
				}
				return o, err
			}})
	}
}

// emitTea emits events that are rejected, and waits until they are.
func (w *world) emitTea(notes ...string) {
	w.t.Helper()
	of := rejected.Of{Saga: "started", Type: "tea.ordered"}
	before := w.c.Rejected().Open()[of]
	for _, note := range notes {
		data, err := json.Marshal(order{ID: "cup", Email: "ada@example.org", Note: note})
		require.NoError(w.t, err)
		_, err = w.c.EmitEvent(w.ctx, "tea-1", "tea.ordered", data, saga.EmitOptions{})
		require.NoError(w.t, err)
	}
	w.eventually(func() bool { return w.c.Rejected().Open()[of] == before+len(notes) })
}

// TestRejectedEventsAreRetriedAndDismissedFromThePage, where the events are, with a badge that one
// sees from every page.
func TestRejectedEventsAreRetriedAndDismissedFromThePage(t *testing.T) {
	t.Parallel()
	var strict atomic.Bool
	strict.Store(true)
	w := newWorld(t, strictly(&strict))
	b := newBrowser(t, w)
	b.open("/ui/rejected")
	b.sees(".empty", "Every event has started its runs")
	b.sees(".empty .command code", "atone rejected --server "+w.url)
	b.sees(".empty .btn", "See the domain events")
	b.holds(`document.querySelector("#rejected-badge").classList.contains("none")`)
	b.shoot("rejected-none")
	w.emitTea("oolong", hostile, "mint", "sencha")
	b.sees("#rejected-badge", "4")
	b.open("/ui/events")
	b.sees("#rejected-notice", "4 events could not start their runs.")
	b.shoot("rejected-notice")
	b.click("#rejected-notice a")
	b.arrives("/ui/rejected")
	for _, look := range []string{"light", "dark"} {
		for _, width := range []int64{390, 1280} {
			b.screen(width, 860, look)
			b.open("/ui/rejected")
			b.sees(".rej", "the trigger's code failed: no such tea: oolong")
			b.holds(`document.querySelectorAll(".rej tbody tr").length === 4 && document.documentElement.scrollWidth <= innerWidth`)
			b.holds(`!document.body.textContent.includes("ada@example.org")`)
			b.shoot(fmt.Sprintf("rejected-%s-%d", look, width))
		}
	}
	b.screen(1280, 860, "light")

	// The reason stands.
	b.click(`.rej tbody tr:nth-child(1) input[name=incident]`)
	b.typeInto("#desk-reason", "the tea is back")
	b.click(`.bulk button[value=retry]`)
	b.sees("dialog h2", "Retry 1 event?")
	b.sees("dialog .which", "tea.ordered")
	b.holds(`document.querySelector("#sure-reason").value === "the tea is back"`)
	b.shoot("rejected-sure")
	require.Equal(t, 4, w.c.Rejected().Open()[rejected.Of{Saga: "started", Type: "tea.ordered"}], "nothing was done yet")
	b.click(`dialog button[name=sure]`)
	b.sees("dialog .problem", "no such tea")
	b.shoot("rejected-refused")
	b.click("dialog [data-close]")
	b.holds(`document.querySelector("#desk-reason").value === "the tea is back"`)

	strict.Store(false)
	b.click(`.bulk button[value=retry]`)
	b.click(`dialog button[name=sure]`)
	b.sees("#note", "it has started run")
	b.sees("#rejected-badge", "3")
	b.click("#pick-all")
	b.sees("#picked", "3 chosen")
	b.click(`.rej tbody tr:nth-child(1) input[name=incident]`)
	b.click(`.bulk button[value=dismiss]`)
	b.sees("dialog h2", "Dismiss 2 events?")
	b.typeInto("#sure-reason", "tests")
	b.click(`dialog button[name=sure]`)
	b.sees("#note", "dismiss: 2 events done")
	b.open("/ui/rejected?state=started")
	b.sees(".rej .c-how", "by local")
	b.sees(".rej .c-how", "the tea is back")
	b.shoot("rejected-started")
	b.click(".rej .c-how a")
	b.sees("h1", "completed")
	b.open("/ui/rejected?state=dismissed")
	b.holds(`document.querySelectorAll(".rej tbody tr").length === 2`)
	b.shoot("rejected-dismissed")
	b.clean("409 (Conflict)", "Error Code 409 from /ui/rejected")
}

// TestManyRejectedEventsAreRetriedFromThePage: all that match, though a page shows fewer.
func TestManyRejectedEventsAreRetriedFromThePage(t *testing.T) {
	t.Parallel()
	var strict atomic.Bool
	strict.Store(true)
	w := newWorld(t, strictly(&strict), func(cfg *webui.Config) { cfg.PageSize = 2 })
	w.emitTea("a", "b", "c", "d", "e")
	strict.Store(false)
	b := newBrowser(t, w)
	b.open("/ui/rejected")
	b.sees(".pages", "5 events")
	b.click("details.every summary")
	b.click("details.every button[value=retry]")
	b.sees("dialog h2", "Retry 5 events?")
	b.typeInto("#sure-reason", "the tea is back")
	b.shoot("rejected-all")
	b.click(`dialog button[name=sure]`)
	b.sees("#note", "retry: 5 events done")
	b.sees(".empty", "Every event has started its runs")
	b.clean()
}

func TestRejectedEventsTakeAReasonAndAScope(t *testing.T) {
	t.Parallel()
	var strict atomic.Bool
	strict.Store(true)
	w := newWorld(t, guarded, strictly(&strict))
	w.emitTea("secret-tea")
	row, err := w.c.Rejected().List(w.ctx, rejected.Filter{})
	require.NoError(t, err)
	id := row.Rows[0].ID.String()
	act := func(who string, values url.Values) (int, string) {
		values.Set("sure", "1")
		status, body, _ := w.post("/ui/rejected", values, "Cookie", "session="+who)
		return status, body
	}
	status, _ := act("viewer", url.Values{"act": {"retry"}, "reason": {"x"}, "incident": {id}})
	require.Equal(t, http.StatusForbidden, status)
	_, body, _ := w.get("/ui/rejected", "Cookie", "session=viewer")
	require.Contains(t, body, "secret-tea")
	require.NotContains(t, body, `value="retry"`)
	_, body, _ = w.get("/ui/rejected", "Cookie", "session=recalc")
	require.NotContains(t, body, "secret-tea", "it is bound to another saga")
	require.Contains(t, body, `class="badge none" title="Events`)
	status, body = act("recalc", url.Values{"act": {"dismiss"}, "reason": {"x"}, "incident": {id}})
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, body, "no event of that id was rejected")
	for _, bad := range []url.Values{{"act": {"retry"}, "reason": {" "}, "incident": {id}}, {"act": {"retry"}, "reason": {"x"}}, {"act": {"forget"}, "reason": {"x"}, "incident": {id}}, {"act": {"retry"}, "reason": {"x"}, "incident": {"17"}}} {
		status, body = act("ops", bad)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%v", bad)
		require.Contains(t, body, `class="problem"`)
	}
	status, _, _ = w.get("/ui/rejected?cursor=x", "Cookie", "session=ops")
	require.Equal(t, http.StatusUnprocessableEntity, status)
	strict.Store(false)
	for range 2 {
		status, _ = act("ops", url.Values{"act": {"retry"}, "reason": {"x"}, "incident": {id}})
		require.Equal(t, http.StatusSeeOther, status)
	}
	w.until(domain.RunIDForEvent("started", row.Rows[0].Event), "run.completed.v1")
}
