package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// form is the input of the sagas under test.
type form struct {
	Email    string `json:"email"`
	Password string `json:"password,omitempty" atone:"secret"`
	Fail     string `json:"fail,omitempty"`
}

type receipt struct {
	ID string `json:"id"`
}

var once = saga.Retry{MaxAttempts: 1, Initial: time.Millisecond, Max: time.Millisecond, Jitter: saga.JitterNone}

var (
	createUser = &saga.Action[form, receipt]{Name: "create-user", Retry: once, UndoRetry: once,
		Do: func(_ context.Context, f form) (receipt, error) {
			if f.Fail == "create" {
				return receipt{}, saga.Permanent(errors.New("no such domain"))
			}
			return receipt{"u-" + f.Email}, nil
		},
		Undo: func(_ context.Context, d saga.Did[form, receipt]) error {
			if d.Input.Fail == "undo" {
				return saga.Permanent(errors.New("user is locked"))
			}
			return nil
		}}
	charge = &saga.Action[form, receipt]{Name: "charge", Effect: saga.NoEffect, Retry: once,
		Do: func(_ context.Context, f form) (receipt, error) {
			if f.Fail != "" {
				return receipt{}, saga.Permanent(errors.New("card declined"))
			}
			return receipt{"c-" + f.Email}, nil
		}}
	// signup completes, is undone (fail: charge) or gets stuck in its undo (fail: undo).
	signup = saga.Define("signup", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[receipt] {
		saga.Do(f, createUser, in.In)
		return saga.Do(f, charge, in.In)
	})
	// approval waits for a signal.
	approval = saga.Define("approval", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[string] {
		saga.Do(f, createUser, in.In)
		return saga.Await[string](f, "approve")
	})
	// asking is stuck going forward when charge fails.
	asking = saga.Define("asking", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[receipt] {
		return saga.Do(f, charge, in.In, saga.OnFail(saga.Ask))
	})
	// confirmed awaits a domain event.
	confirmed = saga.Define("confirmed", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[form] {
		return saga.AwaitEvent[form](f, "user.confirmed", func(v saga.Scope) string { return in.In(v).Email })
	})
	// committed is past its pivot while it waits.
	committed = saga.Define("committed", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[string] {
		saga.Do(f, createUser, in.In)
		saga.Pivot(f)
		return saga.Await[string](f, "approve")
	})
)

// world is a server over everything that it needs, in memory.
type world struct {
	t      testing.TB
	log    *memlog.Log
	c      *saga.Coordinator
	runner *runner.Runner
	tokens *auth.Tokens
	srv    *httpapi.Server
	http   *httptest.Server
	// strict has the trigger on user.fussy refuse every event.
	strict *atomic.Bool
	// bearer is sent with every request, if not empty.
	bearer string
}

// worldConfig adjusts a world.
type worldConfig struct {
	// secured asks for tokens; the world then has one with all scopes.
	secured bool
	// idle leaves the coordinator and the views unstarted.
	idle   bool
	adjust func(*httpapi.Config)
	// further are sagas besides those above.
	further []saga.AnySaga
}

func newWorld(t testing.TB, wc worldConfig) *world {
	t.Helper()
	w := &world{t: t, log: memlog.New(), strict: &atomic.Bool{}}
	quiet := slog.New(slog.DiscardHandler)
	var err error
	w.c, err = saga.New(saga.Config{Log: w.log, Logger: quiet})
	require.NoError(t, err)
	require.NoError(t, w.c.Register(append([]saga.AnySaga{signup, approval, asking, committed, confirmed}, wc.further...)...))
	require.NoError(t, w.c.RegisterTriggers(&saga.Trigger[form, receipt]{Type: "user.asked", Saga: signup},
		&saga.Trigger[form, receipt]{Type: "user.fussy", Saga: signup, Input: func(e saga.Event) (in form, err error) {
			if err = json.Unmarshal(e.Data, &in); err == nil && w.strict.Load() {
				err = errors.New("no such domain: " + in.Email)
			}
			return in, err
		}}))
	store, err := sqlite.Open(sqlite.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	w.runner, err = runner.New(runner.Config{Source: w.log, Store: store, Logger: quiet, Linger: -1, Views: views.All()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	n := 0
	run := func(f func(context.Context) error) { n++; go func() { ended <- f(ctx) }() }
	if !wc.idle {
		run(w.c.Run)
		run(w.runner.Run)
		<-w.c.Ready()
	}
	cfg := httpapi.Config{Evidence: evidence.New(evidence.Config{Log: w.log, Build: evidence.Build{Revision: "0123"}}), Coordinator: w.c, Views: views.Of(w.runner.Reader()), Projections: w.runner, Log: w.log, Logger: quiet, Version: "test",
		BodyTimeout: time.Second}
	if wc.secured {
		w.tokens = auth.NewTokens(w.log, nil)
		cfg.Tokens = w.tokens
		w.bearer = w.token("root", []auth.Scope{auth.Admin})
	}
	if wc.adjust != nil {
		wc.adjust(&cfg)
	}
	w.srv, err = httpapi.New(cfg)
	require.NoError(t, err)
	if wc.secured {
		run(w.srv.Follow)
	}
	w.http = httptest.NewServer(w.srv)
	if !wc.idle {
		w.eventually(func() bool { return w.do("GET", "/health/ready", nil).status == http.StatusOK }, "views are built")
	}
	t.Cleanup(func() {
		w.http.Close()
		cancel()
		for range n {
			require.NoError(t, <-ended)
		}
		require.NoError(t, store.Close())
		require.NoError(t, w.log.Close())
	})
	return w
}

// eventually waits for what nothing tells of, such as what the server answers.
func (w *world) eventually(cond func() bool, why ...any) {
	w.t.Helper()
	require.Eventually(w.t, cond, 2*time.Minute, 5*time.Millisecond, why...)
}

// token makes a token and returns its secret.
func (w *world) token(name string, scopes []auth.Scope, sagas ...string) string {
	w.t.Helper()
	_, secret, err := w.tokens.Create(context.Background(), auth.Spec{Name: name, Scopes: scopes, Sagas: sagas, By: "test"})
	require.NoError(w.t, err)
	return secret
}

// as returns the world as a bearer of another token sees it.
func (w *world) as(secret string) *world {
	other := *w
	other.bearer = secret
	return &other
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// into reads the body.
func (a answer) into(v any) answer {
	a.t.Helper()
	require.NoError(a.t, json.Unmarshal(a.body, v), "%s", a.body)
	return a
}

// is checks the status.
func (a answer) is(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s", a.body)
	return a
}

// problem checks that the answer is a problem of the kind.
func (a answer) problem(status int, kind string) answer {
	a.t.Helper()
	a.is(status)
	var p struct{ Type, Title, Detail string }
	a.into(&p)
	require.Equal(a.t, wire.ProblemPrefix+kind, p.Type, "%s", a.body)
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"))
	require.NotEmpty(a.t, p.Detail)
	return a
}

// do makes a request; body may be nil, text or anything that JSON can hold.
func (w *world) do(method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		require.NoError(w.t, err)
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.http.URL+path, r)
	require.NoError(w.t, err)
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+w.bearer)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.http.Client().Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return answer{w.t, res.StatusCode, res.Header, raw}
}

// start starts a run and waits until it has ended, is stuck or only waits.
func (w *world) start(saga string, in form) wire.Result {
	w.t.Helper()
	var res wire.Result
	wait := "10s"
	if in.Fail == "" && (saga == "approval" || saga == "committed") {
		wait = "0s"
	}
	a := w.do("POST", "/sagas/"+saga+"/runs?wait="+wait, in)
	require.Less(w.t, a.status, 300, "%s", a.body)
	a.into(&res)
	return res
}

// waiting starts a run of a saga that waits for a signal, and returns when it does.
func (w *world) waiting(saga string) domain.RunID {
	w.t.Helper()
	id := w.start(saga, form{Email: "a"}).Run
	for e, err := range w.log.Subscribe(w.t.Context(), 0, domain.Filter{Prefixes: []string{domain.RunStream(id)}}) {
		require.NoError(w.t, err)
		if e.Event != nil && e.Event.Type == "await.opened.v1" {
			break
		}
	}
	return id
}

// position is the end of the log, for views that are to have caught up with it.
func (w *world) position() domain.Position {
	for r, err := range w.log.ReadAllBackward(w.t.Context(), domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(w.t, err)
		return r.Position
	}
	return 0
}
