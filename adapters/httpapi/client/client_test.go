package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type order struct {
	ID   string `json:"id"`
	Fail string `json:"fail,omitempty"`
}

var once = saga.Retry{MaxAttempts: 1, Initial: time.Millisecond, Max: time.Millisecond, Jitter: saga.JitterNone}

var (
	reserve = &saga.Action[order, order]{Name: "reserve", UndoRetry: once,
		Do: func(_ context.Context, o order) (order, error) { return o, nil },
		Undo: func(_ context.Context, d saga.Did[order, order]) error {
			if d.Input.Fail == "undo" {
				return saga.Permanent(errors.New("shelf is gone"))
			}
			return nil
		}}
	ship = &saga.Action[order, string]{Name: "ship", Effect: saga.NoEffect, Retry: once,
		Do: func(_ context.Context, o order) (string, error) {
			if o.Fail != "" {
				return "", saga.Permanent(errors.New("no lorry"))
			}
			return "shipped " + o.ID, nil
		}}
	fulfil = saga.Define("fulfil", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[string] {
		saga.Do(f, reserve, in.In)
		return saga.Do(f, ship, in.In)
	})
	hold = saga.Define("hold", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[string] {
		saga.Do(f, reserve, in.In)
		return saga.Await[string](f, "go")
	})
)

// serve starts a server and returns a client with all scopes, and the server's handler.
func serve(t *testing.T, around func(http.Handler) http.Handler) (*client.Client, *memlog.Log) {
	t.Helper()
	quiet, log := slog.New(slog.DiscardHandler), memlog.New()
	c, err := saga.New(saga.Config{Log: log, Logger: quiet})
	require.NoError(t, err)
	require.NoError(t, c.Register(fulfil, hold))
	store, err := sqlite.Open(sqlite.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	runner, err := runner.New(runner.Config{Source: log, Store: store, Logger: quiet, Linger: -1, Views: views.All()})
	require.NoError(t, err)
	tokens := auth.NewTokens(log, nil)
	_, secret, err := tokens.Create(t.Context(), auth.Spec{Name: "root", Scopes: []auth.Scope{auth.Admin}})
	require.NoError(t, err)
	srv, err := httpapi.New(httpapi.Config{Coordinator: c, Views: views.Of(runner.Reader()), Projections: runner, Log: log, Tokens: tokens, Logger: quiet, Middleware: around})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	for _, f := range []func(context.Context) error{c.Run, runner.Run, srv.Follow} {
		go func() { ended <- f(ctx) }()
	}
	<-c.Ready()
	hs := httptest.NewServer(srv)
	t.Cleanup(func() {
		hs.Close()
		cancel()
		for range 3 {
			require.NoError(t, <-ended)
		}
		require.NoError(t, store.Close())
		require.NoError(t, log.Close())
	})
	cl, err := client.New(client.Config{Server: hs.URL, Token: secret, HTTP: hs.Client(), Backoff: time.Millisecond, Retries: 100})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return cl.Ready(t.Context()) == nil }, 2*time.Minute, time.Millisecond)
	return cl, log
}

func TestStartAndWaitHaveTheLibrarysShapeAndErrors(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, nil)
	ctx := t.Context()
	run, err := client.Start(ctx, c, fulfil, order{ID: "1"}, client.Key("k"), client.Labels(map[string]string{"tenant": "acme"}))
	require.NoError(t, err)
	out, err := run.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, "shipped 1", out)
	again, err := client.Start(ctx, c, fulfil, order{ID: "1"}, client.Key("k"))
	require.NoError(t, err)
	require.Equal(t, run.ID, again.ID)
	_, err = client.Start(ctx, c, fulfil, order{ID: "2"}, client.Key("k"))
	require.ErrorIs(t, err, saga.ErrKeyConflict)

	run, err = client.Start(ctx, c, fulfil, order{ID: "3", Fail: "ship"})
	require.NoError(t, err)
	_, err = run.Wait(ctx)
	var compensated *saga.CompensatedError
	require.ErrorAs(t, err, &compensated)
	require.Equal(t, "ship", compensated.Cause.Step)

	run, err = client.Start(ctx, c, fulfil, order{ID: "4", Fail: "undo"})
	require.NoError(t, err)
	_, err = run.Wait(ctx)
	var stuck *saga.StuckError
	require.ErrorAs(t, err, &stuck)
	require.Equal(t, "reserve", stuck.Step)
	require.NoError(t, c.Skip(ctx, run.ID, stuck.Step, "counted by hand"))
	_, err = run.Wait(ctx)
	require.ErrorAs(t, err, &compensated)

	shipped, err := client.Invoke(ctx, c, ship, order{ID: "5"})
	require.NoError(t, err)
	require.Equal(t, "shipped 5", shipped)
	_, err = c.StartByName(ctx, "nothing", 0, nil)
	require.ErrorIs(t, err, saga.ErrUnknownSaga)
	_, err = c.InvokeByName(ctx, "nothing", nil)
	require.ErrorIs(t, err, saga.ErrUnknownAction)
	_, err = c.StartByName(ctx, "fulfil", 1, json.RawMessage(`{"id":7}`))
	require.ErrorIs(t, err, saga.ErrBadInput)
	_, err = c.Wait(ctx, domain.NewRunID())
	require.ErrorIs(t, err, saga.ErrNotFound)
}

func TestEveryQuestionAndLeverIsThere(t *testing.T) {
	t.Parallel()
	c, log := serve(t, nil)
	ctx := t.Context()
	run, err := client.Start(ctx, c, hold, order{ID: "1"})
	require.NoError(t, err)
	told := ""
	unchanged := saga.OnUnchanged(ctx, func(why string) { told = why })
	require.NoError(t, c.Pause(unchanged, run.ID, "lunch"))
	require.Empty(t, told)
	require.NoError(t, c.Pause(unchanged, run.ID, "lunch"))
	require.Equal(t, "the run is paused already", told, "a repeat says that nothing changed")
	why, err := c.Why(ctx, run.ID)
	require.NoError(t, err)
	require.NotEmpty(t, why.Text)
	require.NoError(t, c.Resume(ctx, run.ID, ""))
	require.NoError(t, c.Signal(ctx, run.ID, wire.Signal{Name: "go", Payload: json.RawMessage(`"now"`), ID: "s1"}))
	out, err := run.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, "now", out)
	require.ErrorIs(t, c.Cancel(ctx, run.ID, ""), saga.ErrEnded)
	require.ErrorIs(t, c.Retry(ctx, run.ID, "", ""), saga.ErrEnded)
	v, err := c.Run(ctx, run.ID)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsCompleted, v.State)
	then, err := c.StateAt(ctx, run.ID, 0)
	require.NoError(t, err)
	require.Equal(t, domain.RunRunning, then.State)
	last, err := c.StateAt(ctx, run.ID, saga.Latest)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsCompleted, last.State)
	preview, err := c.PreviewCancel(ctx, run.ID)
	require.NoError(t, err)
	require.NotEmpty(t, preview.Refused)
	story, err := c.Story(ctx, run.ID)
	require.NoError(t, err)
	require.Equal(t, "hold", story.Saga)
	chart, err := c.Diagram(ctx, run.ID)
	require.NoError(t, err)
	require.Contains(t, chart, "flowchart")
	events, err := c.Events(ctx, run.ID, 0, 2)
	require.NoError(t, err)
	require.Len(t, events.Items, 2)
	require.Equal(t, "2", events.Next)

	at, err := c.Emit(ctx, wire.Emit{Stream: "orders", Type: "order.placed", ID: "1"})
	require.NoError(t, err)
	require.Equal(t, "orders", at.Stream)
	facts, err := c.DomainEvents(ctx, client.DomainEventsQuery{Types: []string{"order.placed"}, TypeBegins: "order", StreamName: "orders", Fresh: projections.Fresh{AtLeast: at.Position}})
	require.NoError(t, err)
	require.Len(t, facts.Items, 1)
	fresh := projections.Fresh{AtLeast: end(t, log)}
	runs, err := c.Runs(ctx, runs.Filter{Sagas: []string{"hold"}, States: []domain.RunState{domain.RunIsCompleted}, Fresh: fresh})
	require.NoError(t, err)
	require.Len(t, runs.Items, 1)
	rows, err := c.Audit(ctx, audit.Filter{Run: run.ID, Fresh: fresh})
	require.NoError(t, err)
	require.NotEmpty(t, rows.Items)
	incidents, err := c.Incidents(ctx, incidents.Filter{Open: true, Fresh: fresh})
	require.NoError(t, err)
	require.Empty(t, incidents.Items)
	stats, err := c.Stats(ctx, client.StatsQuery{Saga: "hold", Fresh: fresh})
	require.NoError(t, err)
	require.NotEmpty(t, stats.Stats)
	report, err := c.Bulk(ctx, wire.Bulk{Act: saga.BulkCancel, All: true, DryRun: true})
	require.NoError(t, err)
	require.Zero(t, report.Matched)
	sagas, err := c.Sagas(ctx)
	require.NoError(t, err)
	require.Len(t, sagas, 2)
	one, err := c.Saga(ctx, "hold", 0)
	require.NoError(t, err)
	require.NotNil(t, one.Plan)
	actions, err := c.Actions(ctx)
	require.NoError(t, err)
	require.Len(t, actions, 2)
	views, err := c.Projections(ctx)
	require.NoError(t, err)
	require.Len(t, views, 5)
	_, err = c.Rebuild(ctx, "runs")
	require.NoError(t, err)
	created, err := c.CreateToken(ctx, wire.NewToken{Name: "t", Scopes: []string{"read"}})
	require.NoError(t, err)
	require.NotEmpty(t, created.Secret)
	tokens, err := c.Tokens(ctx)
	require.NoError(t, err)
	require.Len(t, tokens, 2)
	require.NoError(t, c.RevokeToken(ctx, "t"))
	me, err := c.Me(ctx)
	require.NoError(t, err)
	require.Equal(t, "root", me.Name)
}

func end(t *testing.T, log *memlog.Log) domain.Position {
	t.Helper()
	for r, err := range log.ReadAllBackward(t.Context(), domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		return r.Position
	}
	return 0
}

func TestALostAnswerIsAskedForAgainWithoutASecondRun(t *testing.T) {
	t.Parallel()
	var starts atomic.Int64
	c, log := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && starts.Add(1) <= 2 {
				next.ServeHTTP(httptest.NewRecorder(), r) // done, but nobody is told
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	})
	run, err := client.Start(t.Context(), c, fulfil, order{ID: "1"})
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(3), starts.Load())
	n := 0
	for r, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		if r.Type == "run.started.v1" {
			n++
		}
	}
	require.Equal(t, 1, n)
}

func TestFollowComesBackAfterABrokenConnection(t *testing.T) {
	t.Parallel()
	var streams atomic.Int64
	c, _ := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") == "text/event-stream" && streams.Add(1) <= 3 {
				w = &breaking{ResponseWriter: w, left: 2}
			}
			next.ServeHTTP(w, r)
		})
	})
	ctx := t.Context()
	run, err := client.Start(ctx, c, hold, order{ID: "1"})
	require.NoError(t, err)
	var kinds []string
	for e, err := range c.Follow(ctx, run.ID, 0) {
		require.NoError(t, err)
		require.Equal(t, uint64(len(kinds)), e.Revision, "none is missed and none comes twice")
		kinds = append(kinds, e.Type)
		if e.Type == "await.opened.v1" {
			require.NoError(t, c.Signal(ctx, run.ID, wire.Signal{Name: "go", Payload: json.RawMessage(`"x"`), ID: "1"}))
		}
	}
	require.Equal(t, "run.completed.v1", kinds[len(kinds)-1])
	require.Greater(t, streams.Load(), int64(3))
}

// breaking is a connection that breaks after some events.
type breaking struct {
	http.ResponseWriter
	left int
}

// Write implements http.ResponseWriter.
func (b *breaking) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// Unwrap lets streams flush.
func (b *breaking) Unwrap() http.ResponseWriter { return b.ResponseWriter }
