package httpapi_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// above waits for its child, which is stuck at charge when that fails.
var above = saga.Define("above", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[receipt] {
	return saga.Child(f, asking, in.In, saga.Name("pay"))
})

// stuckBelow starts a run whose child gets stuck, and returns both.
func (w *world) stuckBelow(email string) (parent, child domain.RunID) {
	w.t.Helper()
	var res wire.Result
	w.do("POST", "/sagas/above/runs?wait=10s&below=true", form{Email: email, Fail: "charge"}).is(200).into(&res)
	return res.Run, domain.ChildRunID(res.Run, "pay")
}

// TestAWaitEndsWhereARunBelowIsStuck, if it is asked to: the result names that run, and what it is
// stuck at unless the token does not cover it.
func TestAWaitEndsWhereARunBelowIsStuck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true, further: []saga.AnySaga{above}})
	var begun wire.Result
	w.do("POST", "/sagas/above/runs?wait=10s&below=true", form{Email: "a", Fail: "charge"}).is(200).into(&begun)
	child := domain.ChildRunID(begun.Run, "pay")
	for _, path := range []string{"/sagas/above/runs", "/runs/" + begun.Run.String() + "/result?wait=10s&below=true"} {
		res := begun
		if path != "/sagas/above/runs" {
			res = wire.Result{}
			w.do("GET", path, nil).is(200).into(&res)
		}
		require.Equal(t, domain.RunRunning, res.State, path)
		require.Equal(t, &child, res.Below, path)
		require.Equal(t, "charge", res.Step, path)
		require.NotEmpty(t, res.Incident, path)
		require.Equal(t, "card declined", res.Cause.Message, path)
	}
	var goesOn wire.Result
	w.do("GET", "/runs/"+begun.Run.String()+"/result?wait=10ms", nil).is(202).into(&goesOn)
	require.Nil(t, goesOn.Below)

	var hidden wire.Result
	w.as(w.token("bound", []auth.Scope{auth.Start, auth.Read}, "above")).do("GET", "/runs/"+begun.Run.String()+"/result?wait=10s&below=true", nil).is(200).into(&hidden)
	require.Equal(t, &child, hidden.Below)
	require.Empty(t, hidden.Step+hidden.Incident)
	require.Nil(t, hidden.Cause)

	c, err := client.New(client.Config{Server: w.http.URL, Token: w.bearer})
	require.NoError(t, err)
	_, err = c.Wait(t.Context(), begun.Run, saga.OrStuckBelow())
	var stuck *saga.StuckError
	require.ErrorAs(t, err, &stuck)
	require.Equal(t, child, stuck.Run)
	require.Equal(t, "charge", stuck.Step)
	require.NoError(t, c.Abandon(t.Context(), begun.Run, "enough"))
	_, err = c.Wait(t.Context(), begun.Run, saga.OrStuckBelow())
	var abandoned *saga.AbandonedError
	require.ErrorAs(t, err, &abandoned, "the run itself has ended")
}

// TestAConditionIsAboutTheRunItself, not about its children; but an act on stuck steps reaches
// them, and takes the action as that of the steps.
func TestAConditionIsAboutTheRunItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{further: []saga.AnySaga{above}})
	parent, child := w.stuckBelow("a")
	alone := w.start("asking", form{Email: "b", Fail: "charge"}).Run
	for q, want := range map[string][]domain.RunID{
		"saga:above action:charge":                nil,
		"action:charge":                           {child, alone},
		"saga:above state:stuck-below":            {parent},
		"action:charge parent:" + parent.String(): {child},
	} {
		require.ElementsMatch(t, want, w.found(q), q)
	}
	reached := func(f wire.BulkFilter) (ids []domain.RunID) {
		var report saga.BulkReport
		w.do("POST", "/bulk", wire.Bulk{Act: saga.BulkRetry, Filter: f, DryRun: true}).is(200).into(&report)
		for _, r := range report.Results {
			ids = append(ids, r.Run)
		}
		return ids
	}
	for _, f := range []wire.BulkFilter{{Q: "saga:above action:charge"}, {Q: "saga:above", Action: "charge"}, {Sagas: []string{"above"}, Action: "charge"}, {Q: "saga:above"}, {Q: "saga:above state:running"}} {
		require.Equal(t, []domain.RunID{child}, reached(f), "%+v", f)
	}
	require.ElementsMatch(t, []domain.RunID{child, alone}, reached(wire.BulkFilter{Q: "action:charge"}))
	require.Empty(t, reached(wire.BulkFilter{Q: "saga:above action:create-user"}))
	require.Empty(t, reached(wire.BulkFilter{Q: "saga:above state:stuck"}), "above itself is not stuck")
}

// TestARowSaysWhatItsRunIsStuckOnBelow: the run, its step and why, unless the token does not cover
// its saga.
func TestARowSaysWhatItsRunIsStuckOnBelow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true, further: []saga.AnySaga{above}})
	parent, child := w.stuckBelow("a")
	var rows wire.Page[wire.RunItem]
	w.do("GET", "/runs?state=stuck-below&latest=true&within=60s", nil).is(200).into(&rows)
	require.Len(t, rows.Items, 1)
	row := rows.Items[0]
	require.Equal(t, parent, row.ID)
	require.NotNil(t, row.StuckOn)
	require.Equal(t, child, row.StuckOn.Run)
	require.Equal(t, "asking", row.StuckOn.Saga)
	require.Equal(t, "charge", row.StuckOn.Step)
	require.Equal(t, "card declined", row.StuckOn.Error)
	says := "stuck below: asking " + child.String()[24:] + " at charge: card declined"
	require.Equal(t, says, row.Waiting)
	require.Equal(t, says, row.Waits(time.Now(), explain.ClockIn(time.Now(), time.UTC)), "in the clock of a client, too")

	var hidden wire.Page[wire.RunItem]
	w.as(w.token("bound", []auth.Scope{auth.Start, auth.Read}, "above")).do("GET", "/runs?state=stuck-below", nil).is(200).into(&hidden)
	require.Len(t, hidden.Items, 1)
	require.Nil(t, hidden.Items[0].StuckOn)
	require.NotContains(t, hidden.Items[0].Waiting, "card declined")
}
