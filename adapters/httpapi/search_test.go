package httpapi_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/desk"
)

// found searches the runs, as they are now.
func (w *world) found(q string) (ids []domain.RunID) {
	w.t.Helper()
	var page wire.Page[wire.RunItem]
	w.do("GET", "/runs?at_least="+position(w)+"&q="+url.QueryEscape(q), nil).is(200).into(&page)
	for _, r := range page.Items {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestRunsAreSearchedInOneLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	stuck := w.start("asking", form{Email: "ada@x.example", Fail: "charge"}).Run
	done := w.start("signup", form{Email: "kim@x.example"}).Run
	waits := w.waiting("approval")
	paused := w.waiting("approval")
	w.do("POST", "/runs/"+paused.String()+"/pause", `{"reason":"audit"}`).is(204)

	require.Equal(t, []domain.RunID{stuck}, w.found(`state:stuck saga:ask* age:<2h attempts:1 text:"card decl" step:charge`))
	require.Equal(t, []domain.RunID{waits}, w.found("state:waiting"))
	require.Equal(t, []domain.RunID{paused}, w.found("state:paused"))
	require.ElementsMatch(t, []domain.RunID{waits, paused}, w.found("state:running saga:approval"))
	require.ElementsMatch(t, []domain.RunID{waits, paused, stuck}, w.found("state:unfinished"))
	require.Equal(t, []domain.RunID{done}, w.found("id:"+done.String()[28:]))
	require.Equal(t, []domain.RunID{done}, w.found(done.String()))
	require.Empty(t, w.found("saga:signup state:stuck"))
	var page wire.Page[wire.RunItem]
	w.do("GET", "/runs?q="+url.QueryEscape("state:paused"), nil).is(200).into(&page)
	require.Equal(t, runs.StatePaused, page.Items[0].Shown())
	require.Equal(t, domain.RunRunning, page.Items[0].State)

	for q, want := range map[string]string{
		"saga:approvel": "did you mean approval?", "sate:stuck": "did you mean state?", "action:chagre": "did you mean charge?",
		"label:tenant=a": "no run has a label tenant", "signup:1": "write saga:signup key:1", `text:"x`: "a quote is not closed",
	} {
		a := w.do("GET", "/runs?q="+url.QueryEscape(q), nil).problem(422, wire.ProblemBadInput)
		require.Contains(t, string(a.body), want)
		a = w.do("POST", "/bulk", wire.Bulk{Act: saga.BulkCancel, Filter: wire.BulkFilter{Q: q}, Reason: "r"}).problem(422, wire.ProblemBadInput)
		require.Contains(t, string(a.body), want, "bulk filters have the same errors")
	}
	a := w.do("GET", "/runs?saga=signup&q=saga:asking", nil).problem(422, wire.ProblemBadInput)
	require.Contains(t, string(a.body), "saga is given twice")
	w.do("GET", "/audit?q="+url.QueryEscape("what:run.pasued"), nil).problem(422, wire.ProblemBadInput)
	w.do("GET", "/incidents?q="+url.QueryEscape("acton:charge"), nil).problem(422, wire.ProblemBadInput)
	for q, want := range map[string]string{"q=state:opne": "did you mean open?", "q=state:resolved&state=open": "state is given twice", "q=group:607c4165de7b20db&group=607c4165de7b20db": "group is given twice",
		"q=assignee:kim&assignee=kim": "assignee is given twice", "q=group:1": "1 is no group"} {
		a := w.do("GET", "/incidents?"+q, nil).problem(422, wire.ProblemBadInput)
		require.Contains(t, string(a.body), want, q)
	}
	var open wire.Page[wire.Incident]
	for q, n := range map[string]int{"q=state:open": 1, "q=": 1, "q=state:resolved": 0, "q=state:open+state:resolved&state=all": 1, "q=assignee:kim": 0, "q=state:snoozed": 0, "state=snoozed": 0} {
		open = wire.Page[wire.Incident]{}
		w.do("GET", "/incidents?at_least="+position(w)+"&"+q, nil).is(200).into(&open)
		require.Len(t, open.Items, n, q)
	}
	var acts wire.Page[wire.AuditRow]
	w.do("GET", "/audit?at_least="+position(w)+"&q="+url.QueryEscape("what:run.paused"), nil).is(200).into(&acts)
	require.Len(t, acts.Items, 1)

	var next []wire.Suggestion
	w.do("GET", "/search/suggestions?q="+url.QueryEscape("state:stuck saga:as"), nil).is(200).into(&next)
	require.Equal(t, []wire.Suggestion{{Text: "state:stuck saga:asking", Part: "saga:asking"}}, next)
}

func TestABulkActReachesWhatItsSearchFindsAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	one, two := w.start("asking", form{Email: "a", Fail: "charge"}).Run, w.start("asking", form{Email: "b", Fail: "charge"}).Run
	undo := w.start("signup", form{Email: "c", Fail: "undo"}).Run
	bulk := func(act saga.BulkAct, q string, dry bool) (ids []domain.RunID) {
		var report saga.BulkReport
		w.do("POST", "/bulk", wire.Bulk{Act: act, Filter: wire.BulkFilter{Q: q}, DryRun: dry, Reason: "r"}).is(200).into(&report)
		for _, r := range report.Results {
			ids = append(ids, r.Run)
		}
		return ids
	}
	require.ElementsMatch(t, []domain.RunID{one, two}, bulk(saga.BulkRetry, "saga:ask*", true))
	require.Equal(t, []domain.RunID{undo}, bulk(saga.BulkRetry, "action:create-user", true))
	require.Empty(t, bulk(saga.BulkCancel, "state:paused", false), "a search that finds nothing acts on nothing")
	require.Empty(t, bulk(saga.BulkCancel, "state:completed", false))
	w.do("POST", "/bulk", wire.Bulk{Act: saga.BulkCancel, Filter: wire.BulkFilter{Q: "  "}, Reason: "r"}).problem(422, wire.ProblemBadInput)
	w.do("POST", "/bulk", wire.Bulk{Act: saga.BulkRetry, Filter: wire.BulkFilter{Q: "step:charge"}, Reason: "r"}).problem(422, wire.ProblemBadInput)
	w.do("POST", "/bulk", `{"act":"cancel","filter":{"states":["paused"]}}`).problem(422, wire.ProblemBadInput)
	w.do("POST", "/runs/"+one.String()+"/pause", `{"reason":"x"}`).is(204)
	require.Equal(t, []domain.RunID{one}, bulk(saga.BulkResume, "state:paused", false), "the search knows what was done a moment ago")
}

func TestABulkDryRunTellsWhatACancelWouldUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	w.waiting("approval")
	w.waiting("approval")
	past := w.waiting("committed")
	dry := func(act saga.BulkAct) (report saga.BulkReport) {
		w.do("POST", "/bulk", wire.Bulk{Act: act, All: true, DryRun: true}).is(200).into(&report)
		require.Len(t, report.Results, 3)
		return report
	}
	report := dry(saga.BulkCancel)
	require.Equal(t, &saga.BulkUndo{Runs: 3, Actions: []saga.ActionUndos{{Action: "create-user", Undos: 2}}}, report.Undo)
	require.Equal(t, 1, report.Failed, "which runs would refuse is told before")
	for _, r := range report.Results {
		require.Equal(t, r.Run == past, r.Error != "", r.Error)
	}
	report = dry(saga.BulkAbandon)
	require.Equal(t, []saga.ActionUndos{{Action: "create-user", Undos: 2}}, report.Undo.Actions)
	require.Zero(t, report.Failed)
	require.Nil(t, dry(saga.BulkPause).Undo)
	for _, reason := range []string{"", "  "} {
		a := w.do("POST", "/bulk", wire.Bulk{Act: saga.BulkPause, All: true, Reason: reason}).problem(422, wire.ProblemBadInput)
		require.Contains(t, string(a.body), "bulk pause: it needs a reason")
	}
}

func TestASignalThatNoStepAwaitsIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	run := "/runs/" + w.waiting("approval").String()
	before := w.end()
	a := w.do("POST", run+"/signal", `{"name":"aprove","payload":"yes"}`).problem(422, wire.ProblemBadInput)
	require.Contains(t, string(a.body), "it awaits approve")
	require.Equal(t, before, w.end(), "what is refused is not written")
	w.do("POST", run+"/signal", `{"name":"aprove","payload":"yes","keep":true}`).is(204)
}

func TestATokenForSomeSagasSearchesOnlyThese(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	w.start("asking", form{Email: "a", Fail: "charge"})
	by := w.as(w.token("signups", []auth.Scope{auth.Read, auth.Operate}, "signup"))
	a := by.do("GET", "/runs?q=saga:asking", nil).problem(422, wire.ProblemBadInput)
	require.NotContains(t, string(a.body), "approval")
	require.Empty(t, by.found("state:stuck"))
	var next []wire.Suggestion
	by.do("GET", "/search/suggestions?q=saga:", nil).is(200).into(&next)
	require.Len(t, next, 1)
	by.do("GET", "/search/suggestions?q=actor:", nil).is(200).into(&next)
	require.Empty(t, next)
	var report saga.BulkReport
	by.do("POST", "/bulk", wire.Bulk{Act: saga.BulkRetry, Filter: wire.BulkFilter{Q: "state:stuck"}, Reason: "r"}).is(200).into(&report)
	require.Empty(t, report.Results)
}

// TestFiltersNameRunsAsPeopleDo: by the last digits of an id as well, as addresses do.
func TestFiltersNameRunsAsPeopleDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	stuck := w.start("asking", form{Email: "ada@x.example", Fail: "charge"}).Run
	require.Equal(t, []domain.RunID{stuck}, w.found("state:stuck"), "the view has it")
	for _, name := range []string{stuck.String(), stuck.String()[28:]} {
		var found wire.Page[wire.Incident]
		w.do("GET", fmt.Sprintf("/incidents?run=%s&at_least=%d&within=30s", name, w.position()), nil).is(200).into(&found)
		require.Len(t, found.Items, 1)
		var acts wire.Page[wire.AuditRow]
		w.do("GET", fmt.Sprintf("/audit?run=%s&at_least=%d&within=30s", name, w.position()), nil).is(200).into(&acts)
		require.NotEmpty(t, acts.Items)
		w.do("GET", "/runs?parent="+name, nil).is(200)
		var report saga.BulkReport
		w.do("POST", "/bulk", wire.Bulk{Act: saga.BulkRetry, Filter: wire.BulkFilter{Runs: []string{name}}, DryRun: true}).is(200).into(&report)
		require.Equal(t, stuck, report.Results[0].Run)
	}
	for _, list := range []string{"/incidents?run=", "/audit?run=", "/runs?parent="} {
		a := w.do("GET", list+"abcdef123456", nil).problem(404, wire.ProblemNotFound)
		require.Contains(t, string(a.body), "no run's id ends with abcdef123456")
		a = w.do("GET", list+"x", nil).problem(422, wire.ProblemBadInput)
		require.Contains(t, string(a.body), "the last 6 or more digits")
	}
}

// TestSnoozedIncidentsAreFoundByTheirState, whether they are snoozed by themselves or with their
// group; one that is resolved is snoozed no more.
func TestSnoozedIncidentsAreFoundByTheirState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	w.start("asking", form{Email: "a", Fail: "charge"})
	undo := w.start("signup", form{Email: "b", Fail: "undo"}).Run
	w.start("asking", form{Email: "c", Fail: "charge"})
	list := func(query string) (found []string, all wire.Page[wire.Incident]) {
		w.do("GET", "/incidents?at_least="+position(w)+"&"+query, nil).is(200).into(&all)
		for i := range all.Items {
			found = append(found, all.Items[i].ID)
		}
		return found, all
	}
	ids, all := list("")
	require.Len(t, ids, 3)
	until := time.Now().Add(time.Hour)
	snooze := func(target string) {
		w.do("POST", "/incidents", wire.IncidentAct{Act: desk.Snooze, Targets: []string{target}, Until: until}).is(200)
	}
	snooze(ids[2])
	snooze(all.Items[1].Group) // the undo of signup
	for query, want := range map[string][]string{
		"q=state:snoozed": {ids[1], ids[2]}, "state=snoozed": {ids[1], ids[2]}, "q=state:snoozed+saga:asking": {ids[2]}, "q=state:open": {ids[0]},
		"q=state:snoozed+state:open": ids, "q=state:snoozed+state:resolved": {ids[1], ids[2]}, "q=state:resolved": nil, "state=all": ids,
	} {
		got, _ := list(query)
		require.Equal(t, want, got, query)
	}
	w.do("GET", "/incidents?state=open&q=state:snoozed", nil).problem(422, wire.ProblemBadInput)
	a := w.do("GET", "/incidents?q=state:snozed", nil).problem(422, wire.ProblemBadInput)
	require.Contains(t, string(a.body), "did you mean snoozed?")
	var next []wire.Suggestion
	w.do("GET", "/search/suggestions?in=incidents&q=state:sn", nil).is(200).into(&next)
	require.Equal(t, []wire.Suggestion{{Text: "state:snoozed", Part: "state:snoozed"}}, next)
	w.do("POST", "/runs/"+undo.String()+"/abandon", `{"reason":"enough"}`).is(204)
	got, _ := list("q=state:snoozed")
	require.Equal(t, []string{ids[2]}, got, "its group is snoozed yet, but it is resolved")

	// What would hide nothing is refused, and nothing is written.
	over := w.do("POST", "/incidents", wire.IncidentAct{Act: desk.Snooze, Targets: []string{ids[0]}, Until: time.Now().Add(-time.Minute)}).problem(422, wire.ProblemBadInput)
	require.Contains(t, string(over.body), "a snooze ends later than now")
	before := position(w)
	var report incidents.ActReport
	w.do("POST", "/incidents", wire.IncidentAct{Act: desk.Snooze, Targets: []string{all.Items[1].Group}, Until: until}).is(200).into(&report)
	require.Equal(t, 1, report.Failed)
	require.Contains(t, report.Results[0].Error, "has no open incident: there is nothing to hide")
	require.Equal(t, before, position(w))
	w.do("POST", "/incidents", wire.IncidentAct{Act: desk.Snooze, Targets: []string{all.Items[1].Group}}).is(200).into(&report)
	require.Equal(t, 1, report.Done, "a snooze can be ended")
}

// TestNamesThatDoNotExistAreRefusedAtEveryDoor in the words of the search language.
func TestNamesThatDoNotExistAreRefusedAtEveryDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	w.start("signup", form{Email: "ada@x.example"})
	const noSaga, noAction = "no saga is called sigup: did you mean signup?", "no action is called chagre: did you mean charge?"
	for path, want := range map[string]string{
		"/runs?saga=sigup": noSaga, "/audit?saga=sigup": noSaga, "/incidents?saga=sigup": noSaga, "/stats?saga=sigup": noSaga,
		"/incident-groups?saga=sigup": noSaga, "/rejected-events?saga=sigup": noSaga,
		"/runs?action=chagre": noAction, "/audit?action=chagre": noAction, "/incidents?action=chagre": noAction, "/stats?action=chagre": noAction,
		"/runs?parent=sigup:1": noSaga, "/audit?run=sigup:1": noSaga, "/incidents?run=sigup:1": noSaga, "/runs?q=parent:sigup:1": noSaga,
		"/audit?what=run.pausd": "there is no act or outcome run.pausd: did you mean run.paused?",
	} {
		require.Contains(t, string(w.do("GET", path, nil).problem(422, wire.ProblemBadInput).body), want, path)
	}
	for _, f := range []wire.BulkFilter{{Sagas: []string{"sigup"}}, {Action: "chagre"}, {Runs: []string{"sigup:1"}}} {
		a := w.do("POST", "/bulk", wire.Bulk{Act: saga.BulkRetry, Filter: f, Reason: "r"}).problem(422, wire.ProblemBadInput)
		require.Contains(t, string(a.body), "did you mean", f)
	}
	require.Contains(t, string(w.do("GET", "/runs/sigup:1", nil).problem(404, wire.ProblemUnknownSaga).body), noSaga)
	w.do("GET", "/runs?saga=signup&action=charge", nil).is(200)
	w.do("GET", "/runs?saga=charge", nil).is(200) // an action by itself is a run of that name
}
