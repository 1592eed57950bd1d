package program

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/rejected"
)

// withRejected returns a program, and a directory on which an older version of it rejected events.
// They are accepted once fixed is set.
func withRejected(t *testing.T, events ...string) (app App, dir string, fixed *atomic.Bool) {
	t.Helper()
	app, dir, fixed = testApp(), t.TempDir(), &atomic.Bool{}
	s := app.Sagas[0].(*saga.Saga[payload, payload])
	app.Triggers = []saga.AnyTrigger{&saga.Trigger[payload, payload]{Type: "number-found", Saga: s, Input: func(e saga.Event) (p payload, err error) {
		if err = json.Unmarshal(e.Data, &p); err == nil && !fixed.Load() {
			err = errors.New("no such number\u202e")
		}
		return p, err
	}}}
	log, err := pebblelog.Open(host.LogDir(dir), pebblelog.Config{})
	require.NoError(t, err)
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.RegisterTriggers(app.Triggers...))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	for _, e := range events {
		_, err := log.Append(ctx, "numbers", domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: "number-found", Data: []byte(e)})
		require.NoError(t, err)
	}
	eventually(t, func() bool {
		return c.Rejected().Open()[rejected.Of{Saga: "calc", Type: "number-found"}] == len(events)
	})
	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, log.Close())
	return app, dir, fixed
}

// TestRejectedEventsAreListedRetriedAndDismissed on a directory, by a program whose trigger takes
// them now.
func TestRejectedEventsAreListedRetriedAndDismissed(t *testing.T) {
	t.Parallel()
	app, dir, fixed := withRejected(t, `{"n":1}`, `{"n":2}`, `{"n":3}`, `"x"`)
	r := commandLine(func(args ...string) (string, string, Exit) { return prog(t, app, dir, args...) })
	type listed struct {
		Items []wire.RejectedEvent `json:"items"`
		Next  string               `json:"next"`
		Steps []struct {
			Command string `json:"command"`
		} `json:"next_steps"`
	}
	list := func(args ...string) (out listed) {
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, append([]string{"rejected", "-o", "json"}, args...)...)), &out))
		return out
	}
	open := list()
	require.Len(t, open.Items, 4)
	first := open.Items[slices.IndexFunc(open.Items, func(e wire.RejectedEvent) bool { return strings.Contains(e.Error, "no such number") })]
	require.Contains(t, open.Steps[0].Command, "prog rejected retry "+open.Items[0].ID.String())
	require.Len(t, list("--limit", "3").Items, 3)
	require.Len(t, list("--all", "--limit", "3", "--type", "number-found", "--saga", "calc").Items, 4)
	require.Empty(t, list("--type", "other").Items)
	require.Contains(t, r.ok(t, "rejected"), `no such number\u202e`)
	require.Equal(t, first.ID, list(first.Event.String()).Items[0].ID)

	for _, c := range []struct {
		args []string
		code Exit
		says string
	}{
		{[]string{"rejected", "rety"}, ExitUsage, "did you mean retry?"},
		{[]string{"rejected", "17"}, ExitUsage, "is no id of an event"},
		{[]string{"rejected", "retry"}, ExitUsage, "give an id or a condition"},
		{[]string{"rejected", "retry", "17", "-r", "x"}, ExitUsage, "is no id of an event"},
		{[]string{"rejected", "retry", first.ID.String()}, ExitUsage, "needs a --reason"},
		{[]string{"rejected", "dismiss", first.ID.String(), "--all", "-r", "x"}, ExitUsage, "not both"},
		{[]string{"rejected", "retry", uuid.NewString(), "-r", "x"}, ExitNotFound, "no event of that id was rejected"},
		{[]string{"rejected", "retry", first.ID.String(), "-r", "x"}, ExitPartly, "no such number"},
		{[]string{"rejected", "retry", "--all", "-r", "x"}, ExitUnconfirmed, "retry 4 rejected events"},
		{[]string{"rejected", "retry", "--all", "--dry-run"}, ExitOK, "4 events would be started"},
	} {
		_, errs, code := r(c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.says, "%v", c.args)
	}
	require.Len(t, list().Items, 4, "nothing was done")

	fixed.Store(true)
	var report struct {
		wire.RejectedReport
		Steps []struct {
			Command string `json:"command"`
		} `json:"next_steps"`
	}
	for range 2 { // the second answers the same
		require.NoError(t, json.Unmarshal([]byte(r.ok(t, "rejected", "retry", first.ID.String(), "-r", "version 2 is out", "-o", "json")), &report))
		require.Equal(t, []any{1, "tester", domain.RunIDForEvent("calc", first.Event)}, []any{report.Done, report.Results[0].By, report.Results[0].Run})
		require.Contains(t, report.Steps[0].Command, "prog show "+report.Results[0].Run.String())
	}
	require.Contains(t, r.ok(t, "show", report.Results[0].Run.String()), "calc")
	_, errs, code := r("rejected", "retry", "--saga", "calc", "-r", "version 2 is out", "--yes")
	require.Equal(t, ExitPartly, code, errs)
	require.Contains(t, errs, "1 of 3")
	require.Contains(t, errs, "2 events started")
	require.Len(t, list("--state", "started").Items, 3)
	_, errs, code = r("rejected", "dismiss", "--all", "-r", "a test", "--yes")
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, errs, "1 event dismissed")
	_, errs, _ = r("rejected")
	require.Contains(t, errs, "every event has started its runs")
	require.Equal(t, "a test", list("--state", "dismissed").Items[0].Reason)
}
