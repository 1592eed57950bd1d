package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/webhook"
	"github.com/atonehq/atone/saga"
)

func TestStuckRunIsPostedUntilItIsTaken(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	keys := make(chan string, 10)
	bodies := make(chan saga.Alert, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a saga.Alert
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &a)
		keys <- r.Header.Get("Idempotency-Key")
		bodies <- a
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer server.Close()
	sink, err := webhook.New(webhook.Config{URL: server.URL, Header: http.Header{"Authorization": {"Bearer x"}}})
	require.NoError(t, err)

	refund := &saga.Action[int, int]{Name: "refund", Effect: saga.NoEffect, Do: func(context.Context, int) (int, error) {
		return 0, saga.Permanent(errors.New("account closed"))
	}}
	s := saga.Define("refund", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		return saga.Do(f, refund, in.In, saga.OnFail(saga.Ask))
	})
	c, err := saga.New(saga.Config{Log: memlog.New(), Alerts: []saga.AlertSink{sink}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.Register(s))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	run, err := saga.Start(t.Context(), c, s, 1, saga.Key("r-1"), saga.Labels(map[string]string{"tenant": "acme"}))
	require.NoError(t, err)
	first, second := <-keys, <-keys
	require.Equal(t, first, second, "the repeat is recognisable")
	a := <-bodies
	require.Equal(t, saga.AlertStuck, a.Kind)
	require.Equal(t, run.ID, a.Run)
	require.Equal(t, "r-1", a.Key)
	require.Equal(t, map[string]string{"tenant": "acme"}, a.Labels)
	require.Equal(t, "account closed", a.Cause.Message)
	cancel()
	require.NoError(t, <-ended)
}

func TestBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "ftp://x", "/path", "http://"} {
		_, err := webhook.New(webhook.Config{URL: u})
		require.ErrorContains(t, err, "absolute http or https address")
	}
	_, err := webhook.New(webhook.Config{URL: "http://x", Timeout: -time.Second})
	require.Error(t, err)
}

func TestUnreachableEndpointIsAnError(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	sink, err := webhook.New(webhook.Config{URL: server.URL + "/hooks/hush?token=hush"})
	require.NoError(t, err)
	refused := sink.Alert(t.Context(), saga.Alert{ID: "a"})
	require.ErrorContains(t, refused, "404")
	server.Close()
	unreachable := sink.Alert(t.Context(), saga.Alert{ID: "a"})
	require.Error(t, unreachable)
	require.NotContains(t, refused.Error()+unreachable.Error(), "hush", "addresses of webhooks hold secrets")
	_, err = webhook.New(webhook.Config{URL: "hooks/hush"})
	require.NotContains(t, err.Error(), "hush")
}
