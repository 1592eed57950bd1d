package program

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
)

// leaky has a saga through which secrets go on every way that there is: inputs, outputs, details of
// heartbeats, emitted events, signals and a child; it gets stuck in the end.
func leaky() App {
	once := saga.Retry{MaxAttempts: 1}
	pass := &saga.Action[payload, payload]{Name: "pass", Retry: once, UndoRetry: once, HeartbeatTimeout: time.Minute,
		Undo: func(context.Context, saga.Did[payload, payload]) error { return nil },
		Do: func(ctx context.Context, p payload) (payload, error) {
			if err := saga.Heartbeat(ctx, p); err != nil {
				return p, err
			}
			return p, saga.Emit(ctx, "passed", p)
		}}
	fail := &saga.Action[payload, payload]{Name: "fail", Effect: saga.NoEffect, Retry: once,
		Do: func(context.Context, payload) (payload, error) { return payload{}, errors.New("no luck") }}
	inner := saga.Define("inner", 1, func(f *saga.Flow, in saga.Ref[payload]) saga.Ref[payload] { return saga.Do(f, pass, in.In) })
	return App{Name: "prog", Sagas: []saga.AnySaga{saga.Define("leaky", 1, func(f *saga.Flow, in saga.Ref[payload]) saga.Ref[payload] {
		did := saga.Do(f, pass, in.In)
		saga.Child(f, inner, did.In)
		told := saga.Await[payload](f, "told")
		return saga.Do(f, fail, told.In, saga.OnFail(saga.Ask))
	}), inner}}
}

// TestNoOutletShowsSecrets reads everything that can be read about a run with secrets, in every
// format.
func TestNoOutletShowsSecrets(t *testing.T) {
	t.Parallel()
	const secret = "hush-hush"
	with := func(n string) string { return `{"n": ` + n + `, "secret": "` + secret + `"}` }
	var posted lockedBuffer
	var alerts atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		_, _ = posted.Write(raw)
		alerts.Add(1)
	}))
	defer hook.Close()
	app, dir := leaky(), t.TempDir()

	look := func(where string, r commandLine) {
		for _, args := range [][]string{
			{"show", "leaky:k"}, {"show", "leaky:k", "-o", "json"}, {"why", "leaky:k", "-o", "json"}, {"undo-preview", "leaky:k"}, {"explore", "leaky:k"}, {"undo-preview", "leaky:k", "-o", "json"},
			{"audit", "leaky:k"}, {"audit", "leaky:k", "-o", "json"}, {"audit", "leaky:k", "-o", "ndjson"}, {"audit", "leaky:k", "-o", "csv"}, {"audit", "leaky:k", "-o", "table"},
			{"audit", "--all", "-o", "json"}, {"audit", "--all", "-o", "csv"}, {"audit", "--error", secret}, {"runs", "--all", "-o", "json"}, {"runs", "-o", "csv"}, {"runs", "--error", secret},
			{"incidents", "-o", "json"}, {"incidents", "-o", "csv"}, {"incidents", "--each", "-o", "csv"}, {"stats", "-o", "json"}, {"export"}, {"sagas", "-o", "json"}, {"actions", "-o", "json"}, {"bulk", "retry", "--all", "--dry-run", "-o", "json"},
		} {
			out, errs, code := r(args...)
			require.Equal(t, ExitOK, code, "%s %v: %s", where, args, errs)
			require.NotContains(t, out+errs, secret, "%s: %v", where, args)
		}
		out, errs, code := r("start", "leaky", "-d", with("1"), "--key", "k", "--wait", "-o", "json")
		require.Equal(t, ExitStuck, code, errs)
		require.NotContains(t, out+errs, secret)
		for _, args := range [][]string{{"start", "leaky", "-d", with("2"), "--key", "k"}, {"start", "leaky", "-d", with(`"x"`)}, {"signal", "leaky:none", "told", "-d", with("1")},
			{"resolve", "leaky:k", "fail", "--substitute", with(`"x"`), "--yes"}, {"resolve", "leaky:k", "fail", "--substitute", with(`"x"`)}} {
			_, errs, code := r(args...)
			require.NotZero(t, code)
			require.NotContains(t, errs, secret, "%s: %v", where, args)
		}
	}

	url, log, stop := serving(t, app, dir, "--alert-webhook", hook.URL, "--verbose")
	remote := func(args ...string) (string, string, Exit) { return remotely(t, append(args, "--server", url)...) }
	_, errs, code := remote("start", "leaky", "-d", with("1"), "--key", "k")
	require.Equal(t, ExitOK, code, errs)
	_, errs, code = remote("signal", "leaky:k", "told", "-d", with("3"), "--wait")
	require.Equal(t, ExitStuck, code, errs)
	require.NotContains(t, errs, secret, "what is shown while waiting")
	eventually(t, func() bool { _, _, code := remote("runs"); return code == ExitOK }, "the views are there")
	look("server", remote)
	for _, path := range []string{"/events?latest=true&within=60s", "/events?type=passed&latest=true&within=60s", "/audit", "/runs"} {
		require.NotContains(t, get(t, url+path), secret, path)
	}
	require.Contains(t, get(t, url+"/events?type=passed&latest=true&within=60s"), `"n":1`, "the emitted event is there")
	eventually(t, func() bool { return alerts.Load() > 0 })
	require.NotContains(t, posted.String(), secret, "alerts")
	require.NotContains(t, log.String(), secret, "the server's log")

	stop()
	look("directory", func(args ...string) (string, string, Exit) { return prog(t, app, dir, append(args, "--verbose")...) })
}
