package webui_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// TestAnActionIsHeldAndReleasedFromThePage: its runs say so, wherever they are shown.
func TestAnActionIsHeldAndReleasedFromThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newBrowser(t, w)
	b.open("/ui/sagas")
	b.click(`a[data-hold="reserve-stock"]`)
	b.sees("dialog h2", "Hold reserve-stock")
	b.typeInto("#hold-reason", "CRM is down")
	b.click(`dialog button[name="do"]`)
	b.sees(".holds", "CRM is down")
	b.sees(".holds", "by local since")
	b.shoot("holds-definitions")
	run, err := saga.Start(w.ctx, w.c, w.orders, sample("held-1", 120), saga.Key("held-1"))
	require.NoError(t, err)
	w.settled()
	b.open("/ui/runs")
	b.sees(".holds", "reserve-stock")
	b.sees(".c-state", "held")
	b.sees(".c-now", "held: CRM is down (reserve-stock, by local since")
	b.shoot("holds-runs")
	b.screen(390, 844, "dark")
	b.shoot("holds-runs-phone")
	b.open("/ui/runs/" + run.ID.String())
	b.sees("h1", "held: CRM is down")
	b.shoot("holds-run-phone")
	b.screen(1280, 860, "light")
	b.click(`a[data-hold="reserve-stock"]`)
	b.sees("dialog h2", "Release reserve-stock")
	b.click(`dialog button[name="do"]`)
	b.typeInto("#hold-reason", "CRM is back")
	b.click(`dialog button[name="do"]`)
	b.sees("#note", "is released")
	b.sees("h1", "completed")
	require.Empty(t, w.c.Holds())
	b.clean()
}

func TestAHoldTakesAReasonAndAScopeForAllSagas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	path := "/ui/actions/charge-card/hold"
	for who, status := range map[string]int{"viewer": http.StatusForbidden, "recalc": http.StatusNotFound} {
		got, _, _ := w.post(path, url.Values{"do": {"hold"}, "reason": {"x"}}, "Cookie", "session="+who)
		require.Equal(t, status, got, who)
	}
	status, body, _ := w.post("/ui/actions/double/hold", url.Values{"do": {"hold"}, "reason": {"typed"}}, "Cookie", "session=recalc")
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, body, ">typed</textarea>")
	require.Regexp(t, `name="do"[^>]* disabled`, body)
	status, body, _ = w.post(path, url.Values{"do": {"hold"}, "reason": {" "}, "undos": {"1"}}, "Cookie", "session=ops")
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Regexp(t, `name="undos" value="1" checked`, body)
	require.Empty(t, w.c.Holds())
	status, _, _ = w.post(path, url.Values{"do": {"hold"}, "reason": {"<b>down" + hostile}, "undos": {"1"}}, "Cookie", "session=ops")
	require.Equal(t, http.StatusSeeOther, status)
	status, body, _ = w.post(path, url.Values{"do": {"hold"}, "reason": {"again"}, "undos": {"1"}}, "Cookie", "session=ops")
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, body, "is held already")
	_, body, _ = w.get("/ui/sagas", "Cookie", "session=ops")
	require.Contains(t, body, "&lt;b&gt;down")
	require.NotContains(t, body, "<script>window.hacked")
	_, body, _ = w.get("/ui/sagas", "Cookie", "session=recalc")
	require.NotContains(t, body, "down", "a hold of an action that one does not see is not told")
	require.NotContains(t, body, "data-hold=")
	status, _, _ = w.get("/ui/actions/none/hold", "Cookie", "session=ops")
	require.Equal(t, http.StatusNotFound, status)
}

// TestAnEndedRunIsStartedAgainFromItsForm, with its input, secrets and all, and linked both ways.
func TestAnEndedRunIsStartedAgainFromItsForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.completed("a-1")
	b := newBrowser(t, w)
	b.open("/ui/runs/" + old.String())
	b.click("a[data-again]")
	b.holds(`document.getElementById("again-input").value.includes('"total": 120')`)
	b.holds(`!document.getElementById("again-input").value.includes("ada@example.org")`)
	b.shoot("start-again")
	b.holds(`(() => { const x = document.getElementById("again-input"); x.value = x.value.replace("120", "130"); return true; })()`)
	b.typeInto("#again-key", "a-1-b")
	b.click("dialog button.primary")
	b.sees("#note", "Started again.")
	b.sees(".facts", "Started from")
	b.sees("h1", "completed")
	links, err := w.c.StartedFrom(w.ctx, old)
	require.NoError(t, err)
	require.Len(t, links, 1)
	started, _, err := w.first(links[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"a-1","email":"ada@example.org","items":["lamp","desk","chair","rug"],"total":130}`, string(started.Input), "what was hidden is taken over")
	require.Equal(t, "a-1-b", started.Key)
	b.open("/ui/runs/" + old.String())
	b.sees(".facts", "Started again as")
	b.clean()

	// What is refused is told, and kept.
	again := "/ui/runs/" + old.String() + "/again"
	status, body, _ := w.post(again, url.Values{"input": {"{nonsense"}, "key": {"kept"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "{nonsense</textarea>")
	require.Contains(t, body, `value="kept"`)
	status, body, _ = w.post("/ui/runs/"+w.waiting("w-1").String()+"/again", url.Values{"input": {"{}"}})
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, body, "has not ended")
}

// first reads how a run was started.
func (w *world) first(id domain.RunID) (*domain.RunStarted, domain.Meta, error) {
	for r, err := range w.log.ReadStream(w.ctx, domain.RunStream(id), 0) {
		if err != nil {
			return nil, domain.Meta{}, err
		}
		f, err := domain.DecodeFact(&r)
		if err != nil {
			return nil, domain.Meta{}, err
		}
		started, _ := f.Event.(*domain.RunStarted)
		return started, f.Meta, nil
	}
	return nil, domain.Meta{}, domain.ErrNotFound
}

// folds counts the runs that pages fold.
type folds struct {
	webui.Coordinator
	n atomic.Int64
}

func (c *folds) FoldAt(ctx context.Context, run domain.RunID, revision int64) (*machine.State, error) {
	c.n.Add(1)
	return c.Coordinator.FoldAt(ctx, run, revision)
}

// TestWhileAnActionIsHeldAPageFoldsItsOwnRunsOnly, of 2,000 unfinished ones, and of these only runs
// that may try the action.
func TestWhileAnActionIsHeldAPageFoldsItsOwnRunsOnly(t *testing.T) {
	t.Parallel()
	var counted *folds
	w := newWorld(t, func(cfg *webui.Config) {
		counted = &folds{Coordinator: cfg.Coordinator}
		cfg.Coordinator, cfg.PageSize = counted, 40
	})
	_, err := w.c.Hold(w.ctx, saga.HoldRequest{Action: "reserve-stock", Reason: "CRM is down"})
	require.NoError(t, err)
	const others = 10
	for i := range 2000 - others {
		_, err := saga.Start(w.ctx, w.c, w.orders, sample(fmt.Sprint("o-", i), 120), saga.Key(fmt.Sprint("o-", i)))
		require.NoError(t, err)
	}
	for i := range others {
		_, err := saga.Start(w.ctx, w.c, w.above, "x", saga.Key(fmt.Sprint("a-", i)))
		require.NoError(t, err)
	}
	w.settled()
	page := func(path string) (folded int64, body string) {
		before := counted.n.Load()
		status, body, _ := w.get(path)
		require.Equal(t, http.StatusOK, status)
		return counted.n.Load() - before, body
	}
	folded, body := page("/ui/runs?q=saga:order")
	require.EqualValues(t, 40, folded)
	require.Equal(t, 40, strings.Count(body, ">held</span>")-1, "each run, and the hold above the list")
	folded, body = page("/ui/runs?q=saga:above")
	require.Equal(t, others, strings.Count(body, `<tr id="r-`))
	require.Zero(t, folded, "their plan lacks the action")
	_, err = w.c.Release(w.ctx, "reserve-stock", "CRM is back")
	require.NoError(t, err)
	folded, _ = page("/ui/runs")
	require.Zero(t, folded)
}
