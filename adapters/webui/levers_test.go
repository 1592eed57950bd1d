package webui_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
)

// acted returns the actor and the note of the run's last event of a kind.
func (w *world) acted(id domain.RunID, what string) (actor, note string) {
	w.t.Helper()
	story, err := story.Tell(w.ctx, w.log, id)
	require.NoError(w.t, err)
	for _, r := range story.Lines {
		if r.What == what {
			actor, note = r.Actor, r.Error+r.Note
		}
	}
	return actor, note
}

func (w *world) state(id domain.RunID) domain.RunState {
	w.t.Helper()
	v, err := w.c.Describe(w.ctx, id)
	require.NoError(w.t, err)
	return v.State
}

// carriedOut waits until a page has no act that goes on: what a form asks for is done after its
// answer.
func (w *world) carriedOut(path string, header ...string) {
	w.t.Helper()
	w.eventually(func() bool {
		_, body, _ := w.get(path, header...)
		return !strings.Contains(body, `hx-get="/ui/acts/`)
	}, path)
}

func TestLeverWithoutReasonIsNotPulled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.waiting("w-1")
	for _, act := range []string{"cancel", "pause", "resume", "abandon", "retry", "skip"} {
		status, body, _ := w.post("/ui/runs/"+id.String()+"/lever/"+act, url.Values{"reason": {"  "}})
		require.Equal(t, http.StatusUnprocessableEntity, status, act)
		require.Contains(t, body, "say why, for the audit", act)
	}
	require.Equal(t, domain.RunRunning, w.state(id))
}

func TestLeversActInThePersonsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.waiting("w-1")
	lever := "/ui/runs/" + id.String() + "/lever/"
	pull := func(act, reason string) {
		status, body, head := w.post(lever+act, url.Values{"reason": {reason}})
		require.Equal(t, http.StatusSeeOther, status, "%s: %s", act, body)
		require.True(t, strings.HasPrefix(head.Get("Location"), "/ui/runs/"+id.String()), act)
	}
	pull("pause", "deploy")
	actor, note := w.acted(id, "run.paused")
	require.Equal(t, "local", actor)
	require.Equal(t, "deploy", note)
	pull("resume", "deployed")
	pull("cancel", "customer called")
	_, err := w.c.Wait(w.ctx, id)
	var cancelled *saga.CancelledError
	require.ErrorAs(t, err, &cancelled)
	actor, note = w.acted(id, "run.turned_back")
	require.Equal(t, "local", actor)
	require.Contains(t, note, "customer called")

	status, body, _ := w.post(lever+"cancel", url.Values{"reason": {"again"}})
	require.Equal(t, http.StatusConflict, status, "an ended run refuses, and says so")
	require.Contains(t, body, `role="alert"`)
}

func TestSignalWakesTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.waiting("w-1")
	lever := "/ui/runs/" + id.String() + "/lever/signal"
	_, body, _ := w.get(lever)
	require.Contains(t, body, `value="approved"`, "the awaited signal is filled in")
	status, body, _ := w.post(lever, url.Values{"signal": {"approved"}, "output": {"{nonsense"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "not valid JSON")
	status, _, _ = w.post(lever, url.Values{"signal": {"approved"}, "output": {`{"by":"ada"}`}})
	require.Equal(t, http.StatusSeeOther, status)
	_, err := w.c.Wait(w.ctx, id)
	require.NoError(t, err)
}

func TestIncidentsAreSettledTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.stuck("s-1"), w.stuck("s-2")
	w.settled()
	w.cardGone.Store(false)
	_, list, _ := w.get("/ui/incidents?each=1")
	require.Contains(t, list, "order · s-1", "people know a run by its key")
	step := "charge-card"
	desk := []string{"Referer", w.url + "/ui/incidents?each=1"}
	form := url.Values{"act": {"retry"}, "incident": {a.String() + " " + step, b.String() + " " + step}}
	status, body, _ := w.post("/ui/bulk", form, desk...)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "Retry 2 runs?")
	require.Contains(t, body, "at charge-card")
	require.Equal(t, domain.RunIsStuck, w.state(a), "what would be done is shown first")
	form = url.Values{"act": {"retry"}, "sure": {"1"}, "from": {"/ui/incidents?each=1"}, "run": {a.String() + " " + step, b.String() + " " + step}}
	status, body, _ = w.post("/ui/bulk", form, "Referer", w.url+"/ui/bulk")
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "say why")
	require.Contains(t, body, `name="from" value="/ui/incidents?each=1"`)
	form.Set("reason", "bank is back")
	status, _, head := w.post("/ui/bulk", form, "Referer", w.url+"/ui/bulk")
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/ui/incidents?each=1", head.Get("Location"))
	w.carriedOut(head.Get("Location")) // until then it may be stuck as before
	for _, id := range []domain.RunID{a, b} {
		_, err := w.c.Wait(w.ctx, id)
		var back *saga.CompensatedError
		require.ErrorAs(t, err, &back)
	}
	w.settled()
	_, body, _ = w.get(head.Get("Location"))
	require.Contains(t, body, "Nothing is stuck")
	require.Contains(t, body, "2 retried: ")
	_, body, _ = w.get("/ui/incidents?state=resolved")
	require.Contains(t, body, "bank is back")

	status, body, _ = w.post("/ui/bulk", url.Values{"act": {"skip"}, "sure": {"1"}, "reason": {"late"}, "incident": {a.String() + " " + step}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "Nothing was done: there is no run to do it to.")
}

// The desk is needed most when things are slow: it is shown old, and says so, rather than not at
// all.
func TestDeskIsShownThoughItIsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stuck("s-1")
	w.settled()
	status, body, _ := w.get("/ui/incidents?seen=1000000000")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "The list does not show yet what you did")
	require.Contains(t, body, "card_gone")
	status, body, _ = w.get("/ui/incidents?cursor=nonsense")
	require.Equal(t, http.StatusOK, status, "a cursor that fits no more begins again")
	require.Contains(t, body, "card_gone")
}

func TestOtherSitesPagesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.waiting("w-1")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		for _, path := range []string{"/ui/runs/" + id.String() + "/lever/cancel", "/ui/incidents", "/ui/login", "/ui/logout"} {
			status, _, _ := w.post(path, url.Values{"reason": {"forged"}, "token": {"good"}}, header...)
			require.Equal(t, http.StatusForbidden, status, "%s %v", path, header)
		}
	}
	require.Equal(t, domain.RunRunning, w.state(id))
	status, _, _ := w.post("/ui/runs/"+id.String()+"/lever/pause", url.Values{"reason": {"own page"}}, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusSeeOther, status)
}

// A note says what a form did: a link that somebody sends must not be able to put one there.
func TestNotesComeFromTheOwnPageOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/ui/runs?note=Your+token+has+ended:+send+it+to+mallory"
	for _, from := range []string{"cross-site", "same-site", "none"} {
		_, body, _ := w.get(path, "Sec-Fetch-Site", from)
		require.NotContains(t, body, `id="note"`, from)
	}
	_, body, _ := w.get(path, "Sec-Fetch-Site", "same-origin")
	require.Contains(t, body, `id="note"`)
}

// doorman is a [webui.Sessions] with one token for each of the people.
type doorman struct{ people map[string]webui.Person }

func (d doorman) Who(r *http.Request) (webui.Person, bool) {
	c, err := r.Cookie("session")
	if err != nil {
		return webui.Person{}, false
	}
	p, ok := d.people[c.Value]
	return p, ok
}

func (d doorman) Login(w http.ResponseWriter, _ *http.Request, token string) error {
	if _, ok := d.people[token]; !ok {
		return errors.New("the token is not good: ask for a new one")
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	return nil
}

func (d doorman) Logout(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "session", Path: "/", MaxAge: -1})
}

var people = doorman{map[string]webui.Person{
	"ops": {Name: "ada", Operate: true, Signal: true}, "viewer": {Name: "bob"}, "recalc": {Name: "eve", Operate: true, Signal: true, Sagas: []string{"recalculate"}}, "upper": {Name: "una", Operate: true, Sagas: []string{"above"}},
}}

func guarded(c *webui.Config) { c.Sessions = people }

func TestLoginLeadsBackToWhereOneWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	status, _, head := w.get("/ui/incidents?state=all")
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/ui/login?next="+url.QueryEscape("/ui/incidents?state=all"), head.Get("Location"))
	status, body, _ := w.post("/ui/login", url.Values{"token": {"wrong-secret"}, "next": {"/ui/stats"}})
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, body, "ask for a new one")
	require.NotContains(t, body, "wrong-secret")
	status, _, head = w.post("/ui/login", url.Values{"token": {" ops "}, "next": {"/ui/incidents?state=all"}})
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/ui/incidents?state=all", head.Get("Location"))
	for _, evil := range []string{"https://evil.example/", "//evil.example/ui/", "/\\evil.example", "/ui/../\\evil", "javascript:alert(1)", "/other"} {
		_, _, head = w.post("/ui/login", url.Values{"token": {"ops"}, "next": {evil}})
		require.Equal(t, "/ui/runs", head.Get("Location"), evil)
	}
	status, _, head = w.get("/ui/login?next=/ui/stats", "Cookie", "session=ops")
	require.Equal(t, http.StatusSeeOther, status, "nobody logs in twice")
	require.Equal(t, "/ui/stats", head.Get("Location"))
	status, body, _ = w.get("/ui/login?next=javascript:hacked%3D1")
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, body, "javascript:")
	_, body, _ = w.get("/ui/runs", "Cookie", "session=ops")
	require.Contains(t, body, ">ada<")
	require.Contains(t, body, "Log out")
	_, _, head = w.get("/ui/runs", "HX-Request", "true", "HX-Target", "live")
	require.Equal(t, "/ui/login", head.Get("HX-Redirect"), "a page that lost its session goes to the login")
}

func TestWhoMayOnlyReadCannotSteer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	id, stuck := w.waiting("w-1"), w.stuck("s-1")
	w.settled()
	viewer := []string{"Cookie", "session=viewer"}
	_, body, _ := w.get("/ui/runs/"+id.String(), viewer...)
	require.NotContains(t, body, `data-act=`)
	require.Contains(t, body, "Your token lacks the scope operate.")
	for _, act := range []string{"cancel", "signal", "abandon"} {
		status, _, _ := w.post("/ui/runs/"+id.String()+"/lever/"+act, url.Values{"reason": {"x"}, "signal": {"approved"}}, viewer...)
		require.Equal(t, http.StatusForbidden, status, act)
	}
	for _, path := range []string{"/ui/incidents", "/ui/bulk"} {
		status, _, _ := w.post(path, url.Values{"act": {"skip"}, "sure": {"1"}, "reason": {"x"}, "incident": {stuck.String() + " charge-card"}}, viewer...)
		require.Equal(t, http.StatusForbidden, status, path)
	}
	require.Equal(t, domain.RunRunning, w.state(id))
	require.Equal(t, domain.RunIsStuck, w.state(stuck))
}

func TestWhoIsBoundToASagaSeesNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	id, stuck := w.waiting("w-1"), w.stuck("s-1")
	mine, err := saga.Start(w.ctx, w.c, w.bulk, 3)
	require.NoError(t, err)
	_, err = mine.Wait(w.ctx)
	require.NoError(t, err)
	_, err = w.c.EmitEvent(w.ctx, "orders-1", "order.placed", []byte(`{}`), saga.EmitOptions{})
	require.NoError(t, err)
	w.settled()
	bound := []string{"Cookie", "session=recalc"}
	for _, path := range []string{"/ui/runs", "/ui/runs?q=saga:order", "/ui/incidents", "/ui/incidents?saga=order&state=all", "/ui/sagas", "/ui/stats?range=", "/ui/stats?range=&saga=order", "/ui/events", "/ui/audit", "/ui/audit?q=saga:order", "/ui/audit?q=" + id.String()} {
		status, body, _ := w.get(path, bound...)
		want := http.StatusOK
		if strings.Contains(path, "saga=order") {
			want = http.StatusUnprocessableEntity // they are told that there is no such saga
		}
		require.Equal(t, want, status, path)
		require.NotRegexp(t, `big-order|charge-card|order\.placed|stock\.reserved|w-1|s-1`, body, path)
	}
	_, body, _ := w.get("/ui/runs", bound...)
	require.Contains(t, body, mine.ID.String())
	for _, path := range []string{"/ui/runs/" + id.String(), "/ui/runs/" + id.String() + "?at=1", "/ui/runs/" + id.String() + "/step?path=charge-card", "/ui/runs/" + id.String() + "/lever/cancel", "/ui/sagas/order"} {
		status, _, _ := w.get(path, bound...)
		require.Equal(t, http.StatusNotFound, status, path)
	}
	status, _, _ := w.post("/ui/runs/"+id.String()+"/lever/cancel", url.Values{"reason": {"x"}}, bound...)
	require.Equal(t, http.StatusNotFound, status)
	status, body, _ = w.post("/ui/bulk", url.Values{"act": {"skip"}, "sure": {"1"}, "reason": {"x"}, "incident": {stuck.String() + " charge-card"}}, bound...)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.NotContains(t, body, "s-1")
	require.Equal(t, domain.RunIsStuck, w.state(stuck))
}

func TestErrorsInsideAreNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.Views = broken{c.Views} })
	status, body, _ := w.get("/ui/runs")
	require.Equal(t, http.StatusInternalServerError, status)
	require.NotContains(t, body, "/var/secret")
	require.Contains(t, body, "The server&#39;s log has the cause")
}

type broken struct{ webui.Views }

func (broken) Runs(context.Context, runs.Filter) (runs.Page, error) {
	return runs.Page{}, errors.New("open /var/secret: no space left")
}
