package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/rejected"
)

// TestRejectedEventsAreListedRetriedAndDismissed through the API, by tokens that may.
func TestRejectedEventsAreListedRetriedAndDismissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	w.strict.Store(true)
	var page wire.RejectedEvents
	list := func(w *world, query string) wire.RejectedEvents {
		page = wire.RejectedEvents{}
		w.do("GET", "/rejected-events"+query, nil).is(http.StatusOK).into(&page)
		return page
	}
	require.Empty(t, list(w, "").Items)
	for i := range 5 {
		w.do("POST", "/events", wire.Emit{Stream: "shop", Type: "user.fussy", Payload: fmt.Appendf(nil, `{"email":"user-%d","password":"hunter2-%d"}`, i, i)}).is(http.StatusCreated)
	}
	w.do("POST", "/events", wire.Emit{Stream: "shop", Type: "user.asked", Payload: []byte(`17`)}).is(http.StatusCreated)
	w.eventually(func() bool { return list(w, "").Matched == 6 })
	require.Len(t, list(w, "?type=user.fussy&saga=signup").Items, 5)
	require.Contains(t, page.Items[0].Error, "no such domain: user-")
	require.NotContains(t, fmt.Sprint(page), "hunter2")
	require.Equal(t, []any{"signup", 1, "shop", rejected.Open}, []any{page.Items[0].Saga, page.Items[0].Version, page.Items[0].Stream, page.Items[0].State})
	first := list(w, "?limit=4&ascending=true")
	require.Len(t, first.Items, 4)
	require.Len(t, list(w, "?limit=4&ascending=true&cursor="+first.Next).Items, 2)
	require.Empty(t, page.Next)
	w.do("GET", "/rejected-events?cursor=x", nil).problem(http.StatusUnprocessableEntity, wire.ProblemBadInput)
	w.do("GET", "/rejected-events?id=x", nil).problem(http.StatusUnprocessableEntity, wire.ProblemBadInput)

	one := list(w, "?type=user.fussy&limit=1").Items[0]
	reader := w.as(w.token("reader", []auth.Scope{auth.Read}))
	reader.do("POST", "/rejected-events", wire.RejectedAct{Act: rejected.Retry, All: true, Reason: "x"}).problem(http.StatusForbidden, wire.ProblemForbidden)
	other := w.as(w.token("approval-only", []auth.Scope{auth.Operate, auth.Read}, "approval"))
	require.Empty(t, list(other, "?state=all").Items)
	other.do("GET", "/rejected-events?saga=signup", nil).problem(http.StatusForbidden, wire.ProblemForbidden)
	var report wire.RejectedReport
	act := func(w *world, a wire.RejectedAct) wire.RejectedReport {
		report = wire.RejectedReport{}
		w.do("POST", "/rejected-events", a).is(http.StatusOK).into(&report)
		return report
	}
	require.Equal(t, "no event of that id was rejected", act(other, wire.RejectedAct{Act: rejected.Retry, IDs: []string{one.ID.String()}, Reason: "x"}).Results[0].Refused)
	require.Zero(t, act(other, wire.RejectedAct{Act: rejected.Dismiss, All: true, Reason: "x"}).Matched)

	for _, bad := range []wire.RejectedAct{{Act: rejected.Retry, Reason: "x"}, {Act: rejected.Retry, All: true}, {Act: "forget", All: true, Reason: "x"}, {Act: rejected.Dismiss, IDs: []string{"17"}, Reason: "x"}} {
		w.do("POST", "/rejected-events", bad).problem(http.StatusUnprocessableEntity, wire.ProblemBadInput)
	}
	require.Contains(t, act(w, wire.RejectedAct{Act: rejected.Retry, IDs: []string{one.ID.String()}, Reason: "x"}).Results[0].Refused, "no such domain: user-")
	require.Equal(t, []any{6, 0, true, 6}, []any{act(w, wire.RejectedAct{Act: rejected.Retry, All: true, DryRun: true}).Matched, report.Done, report.DryRun, len(report.Results)})

	w.strict.Store(false)
	for range 2 { // the second answers the same
		act(w, wire.RejectedAct{Act: rejected.Retry, IDs: []string{one.Event.String()}, Reason: "version 2 is out"})
		require.Equal(t, []any{1, true, rejected.Started, "root", domain.RunIDForEvent("signup", one.Event)},
			[]any{report.Done, report.Results[0].Done, report.Results[0].State, report.Results[0].By, report.Results[0].Run})
	}
	var res wire.Result
	w.do("GET", "/runs/"+report.Results[0].Run.String()+"/result?wait=10s", nil).is(http.StatusOK).into(&res)
	require.Equal(t, domain.RunIsCompleted, res.State)
	require.Equal(t, "version 2 is out", list(w, "?state=started").Items[0].Reason)
	c, err := client.New(client.Config{Server: w.http.URL, Token: w.bearer})
	require.NoError(t, err)
	report, err = c.ActOnRejected(t.Context(), wire.RejectedAct{Act: rejected.Retry, Sagas: []string{"signup"}, Type: "user.fussy", Reason: "x", Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []any{4, 2, true}, []any{report.Matched, report.Done, report.More})
	require.Equal(t, 3, act(w, wire.RejectedAct{Act: rejected.Dismiss, All: true, Reason: "a test"}).Done)
	require.Empty(t, list(w, "").Items)
	rows, err := c.Rejected(t.Context(), rejected.Filter{State: rejected.Dismissed, Type: "user.asked", Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []any{"root", "a test"}, []any{rows.Items[0].By, rows.Items[0].Reason})
}

// TestARunThatCannotBeReadIsListedAsBlocked, and found as such: an event of it is unknown, or its
// plan is gone.
func TestARunThatCannotBeReadIsListedAsBlocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	id := w.waiting("approval")
	_, err := w.log.Append(t.Context(), domain.RunStream(id), domain.AnyRevision, domain.NewEvent{ID: domain.NewRunID(), Type: "step.flew.v9", Data: []byte(`{}`)})
	require.NoError(t, err)
	planless, plan := domain.NewRunID(), strings.Repeat("ab", 32)
	_, err = w.log.Append(t.Context(), domain.RunStream(planless), domain.NoStream, domain.NewEvent{ID: domain.NewRunID(), Type: "run.started.v1",
		Data: []byte(`{"saga":"gone","version":1,"plan":"` + plan + `"}`), Metadata: []byte(`{"at":"2026-01-01T00:00:00Z"}`)})
	require.NoError(t, err)
	var page wire.Page[wire.RunItem]
	w.eventually(func() bool {
		page = wire.Page[wire.RunItem]{}
		w.do("GET", "/runs?q=state:blocked", nil).is(http.StatusOK).into(&page)
		return len(page.Items) == 2
	})
	require.Equal(t, []domain.RunID{id, planless}, []domain.RunID{page.Items[0].ID, page.Items[1].ID})
	require.Contains(t, page.Items[1].Waiting, "it can't be read: "+plan)
	require.Contains(t, page.Items[0].Waiting, "it can't be read")
	require.Contains(t, page.Items[0].Waiting, "step.flew.v9")
}
