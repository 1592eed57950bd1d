package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
)

// TestActionsAreHeldAndReleased: the runs of a held action say so, by whom and why.
func TestActionsAreHeldAndReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	w.do("GET", "/holds", nil).is(http.StatusOK)
	w.do("POST", "/actions/charge/hold", wire.HoldAction{}).problem(http.StatusUnprocessableEntity, wire.ProblemBadInput)
	w.do("POST", "/actions/chrage/hold", wire.HoldAction{Reason: "x"}).problem(http.StatusNotFound, wire.ProblemUnknownAction)
	var held wire.HeldAction
	w.do("POST", "/actions/charge/hold", wire.HoldAction{Reason: "CRM is down"}).is(http.StatusOK).into(&held)
	require.Equal(t, "root", held.By)
	w.do("POST", "/actions/charge/hold", wire.HoldAction{Reason: "me too"}).problem(http.StatusConflict, wire.ProblemHeld)
	id := w.do("POST", "/sagas/signup/runs", form{Email: "a"}).is(http.StatusAccepted)
	var res wire.Result
	id.into(&res)
	require.Equal(t, domain.RunRunning, res.State)
	w.eventually(func() bool {
		var why wire.Why
		w.do("GET", "/runs/"+res.Run.String()+"/why", nil).is(http.StatusOK).into(&why)
		return why.WaitsFor == "release" && why.Waits[0].Hold.Reason == "CRM is down" && why.Waits[0].Hold.By == "root"
	})
	var page wire.Page[wire.RunItem]
	w.do("GET", "/runs?at_least="+position(w), nil).is(http.StatusOK).into(&page)
	require.Equal(t, "CRM is down", page.Items[0].Held.Reason)
	require.Equal(t, "root", page.Items[0].Held.By)
	require.Equal(t, wire.IsHeld, page.Items[0].Shown())
	require.Contains(t, page.Items[0].Waiting, "held: CRM is down (action charge, by root since ")
	a := w.do("GET", "/runs?q=state:held", nil).problem(http.StatusUnprocessableEntity, wire.ProblemBadInput)
	require.Contains(t, string(a.body), "the command holds lists the held actions")
	var list []wire.HeldAction
	w.do("GET", "/holds", nil).is(http.StatusOK).into(&list)
	require.Len(t, list, 1)
	require.Equal(t, 1, list[0].Waiting)

	bound := w.as(w.token("signup-only", []auth.Scope{auth.Operate, auth.Read}, "signup"))
	bound.do("POST", "/actions/charge/release", wire.RequiredReason{Reason: "x"}).problem(http.StatusForbidden, wire.ProblemForbidden)
	bound.do("GET", "/holds", nil).is(http.StatusOK).into(&list)
	require.Len(t, list, 1, "its saga has the action")
	other := w.as(w.token("approval-only", []auth.Scope{auth.Read}, "approval"))
	other.do("GET", "/holds", nil).is(http.StatusOK).into(&list)
	require.Empty(t, list)
	other.do("POST", "/actions/charge/release", wire.RequiredReason{Reason: "x"}).problem(http.StatusForbidden, wire.ProblemForbidden)

	w.do("POST", "/actions/charge/release", wire.RequiredReason{Reason: "CRM is back"}).is(http.StatusOK)
	w.do("GET", "/runs/"+res.Run.String()+"/result?wait=10s", nil).is(http.StatusOK).into(&res)
	require.Equal(t, domain.RunIsCompleted, res.State)
	page = wire.Page[wire.RunItem]{}
	w.do("GET", "/runs?at_least="+position(w), nil).is(http.StatusOK).into(&page)
	require.Nil(t, page.Items[0].Held)
	w.do("POST", "/actions/charge/release", wire.RequiredReason{Reason: "x"}).problem(http.StatusConflict, wire.ProblemNotHeld)
}
