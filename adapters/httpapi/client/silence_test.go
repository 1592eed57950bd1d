package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
)

func TestASilentServerEndsAReadAndLeavesAnActOpen(t *testing.T) {
	t.Parallel()
	got := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // else the server does not see that the caller leaves
		got <- r.Method
		<-r.Context().Done()
	}))
	defer server.Close()
	told := make(chan bool, 10)
	c, err := client.New(client.Config{Server: server.URL, Patience: client.Patience{Notice: time.Millisecond, Reads: time.Second, Tell: func(acts bool) { told <- acts }}})
	require.NoError(t, err)
	id := domain.NewRunID()

	_, err = c.Run(t.Context(), id)
	var silent *client.SilentError
	require.ErrorAs(t, err, &silent)
	require.Equal(t, time.Second, silent.For)
	require.NotErrorIs(t, err, client.ErrMayBeDone)
	require.False(t, <-told)
	require.Equal(t, http.MethodGet, <-got)
	require.Empty(t, got, "a server that is silent is not asked again")

	ctx, interrupt := context.WithCancelCause(t.Context())
	go func() {
		<-got
		<-told
		interrupt(errors.New("the person left"))
	}()
	err = c.Retry(ctx, id, "", "why")
	require.ErrorIs(t, err, client.ErrMayBeDone)

	none, err := client.New(client.Config{Server: "http://127.0.0.1:1", Retries: -1})
	require.NoError(t, err)
	require.NotErrorIs(t, none.Retry(t.Context(), id, "", ""), client.ErrMayBeDone, "nothing was sent")
	_, err = none.Bulk(t.Context(), wire.Bulk{DryRun: true})
	require.NotErrorIs(t, err, client.ErrMayBeDone)
}
