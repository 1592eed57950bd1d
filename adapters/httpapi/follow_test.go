package httpapi_test

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
)

// message returns the next event of a stream with its data.
func message[T any](t *testing.T, s *bufio.Scanner) (id, kind string, data T) {
	t.Helper()
	id, kind, ok := next(s)
	require.True(t, ok, "the stream has ended")
	require.True(t, s.Scan())
	raw, ok := strings.CutPrefix(s.Text(), "data: ")
	require.True(t, ok, s.Text())
	require.NoError(t, json.Unmarshal([]byte(raw), &data), raw)
	return id, kind, data
}

func TestAListOfRunsIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	first := w.waiting("approval")
	lines, leave := w.stream("/runs?follow&saga=approval&state=running")
	defer leave()
	_, kind, page := message[wire.Page[wire.RunItem]](t, lines)
	require.Equal(t, "list", kind)
	require.Len(t, page.Items, 1)
	require.Equal(t, first, page.Items[0].ID)

	w.start("signup", form{Email: "other saga"})
	second := w.waiting("approval")
	var item wire.RunItem
	for item.ID != second {
		_, kind, item = message[wire.RunItem](t, lines)
		require.Equal(t, "run", kind)
		require.Equal(t, "approval", item.Saga, "only what the filter selects")
	}
	w.do("POST", "/runs/"+first.String()+"/pause", `{"reason":"lunch"}`).is(204)
	for item.Paused == "" {
		_, kind, item = message[wire.RunItem](t, lines)
		require.Equal(t, "run", kind)
	}
	require.Equal(t, first, item.ID)
	w.do("POST", "/runs/"+second.String()+"/cancel", `{}`).is(204)
	for {
		at, kind, gone := message[wire.Gone](t, lines)
		if kind == "gone" {
			require.Equal(t, second, gone.Run)
			require.NotEmpty(t, at)
			break
		}
	}
	w.do("GET", "/runs?follow=true&state=asleep", nil).problem(422, wire.ProblemBadInput)
	for state, why := range map[string]string{"runing": "no state is called runing: did you mean running?", "held": "what is held is not recorded in the runs"} { //nolint:misspell // the typing mistake is what is tested
		refused := w.do("GET", "/runs?state="+state, nil)
		refused.problem(422, wire.ProblemBadInput)
		require.Contains(t, string(refused.body), why)
	}
	require.Contains(t, string(w.do("GET", "/runs?follow=false", nil).is(200).body), `"items"`)
}

func TestTheAuditIsFollowedAndResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	w.start("signup", form{Email: "before"})
	lines, leave := w.stream("/audit?follow&what=run.started&what=run.paused")
	run := w.waiting("approval")
	last, kind, row := message[wire.AuditRow](t, lines)
	require.Equal(t, "act", kind)
	require.Equal(t, run, row.Run, "what was before is not told")
	require.Equal(t, "run.started", row.What)
	leave()
	w.do("POST", "/runs/"+run.String()+"/pause", `{"reason":"lunch"}`).is(204)
	w.start("signup", form{Email: "meanwhile"})
	resumed, leave := w.stream("/audit?follow&what=run.started&what=run.paused", "Last-Event-ID", last)
	defer leave()
	_, _, row = message[wire.AuditRow](t, resumed)
	require.Equal(t, "run.paused", row.What, "nothing is missed, and nothing told twice")
	_, _, row = message[wire.AuditRow](t, resumed)
	require.Equal(t, "signup", row.Saga)
	w.start("signup", form{Email: "afterwards"})
	_, _, again := message[wire.AuditRow](t, resumed)
	require.Equal(t, "run.started", again.What)
	require.Greater(t, again.Position, row.Position)
	w.do("GET", "/audit?follow", nil, "Last-Event-ID", "-1").problem(422, wire.ProblemBadInput)
}

func TestDomainEventsAreFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	emit := func(kind, payload string) {
		t.Helper()
		w.do("POST", "/events", `{"stream":"s","type":"`+kind+`","payload":`+payload+`}`).is(201)
	}
	lines, leave := w.stream("/events?follow&type=noted&type=user.asked")
	emit("other", `1`)
	emit("noted", `2`)
	last, kind, e := message[wire.Event](t, lines)
	require.Equal(t, "noted", kind)
	require.Equal(t, "2", string(e.Data))
	leave()
	emit("user.asked", `{"email":"a@b","password":"hush"}`)
	resumed, leave := w.stream("/events?follow", "Last-Event-ID", last)
	defer leave()
	_, kind, e = message[wire.Event](t, resumed)
	require.Equal(t, "user.asked", kind)
	require.NotContains(t, string(e.Data), "hush")
}

// TestABoundTokenFollowsOnlyItsSagas has a token that is bound to one saga.
func TestABoundTokenFollowsOnlyItsSagas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	bound := w.as(w.token("bound", []auth.Scope{auth.Read}, "approval"))
	req := func(path string) *bufio.Scanner {
		lines, leave := bound.stream(path, "Authorization", "Bearer "+bound.bearer)
		t.Cleanup(leave)
		return lines
	}
	acts, list := req("/audit?follow"), req("/runs?follow")
	_, kind, _ := message[wire.Page[wire.RunItem]](t, list)
	require.Equal(t, "list", kind)
	w.start("signup", form{Email: "hidden"})
	run := w.waiting("approval")
	_, _, row := message[wire.AuditRow](t, acts)
	require.Equal(t, run, row.Run)
	_, _, item := message[wire.RunItem](t, list)
	require.Equal(t, run, item.ID)
	require.Equal(t, domain.RunRunning, item.State)
	bound.do("GET", "/events?follow", nil).problem(403, wire.ProblemForbidden)
	bound.do("GET", "/runs?follow&saga=signup", nil).problem(403, wire.ProblemForbidden)
}
