package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/projections/audit"
)

// cutOff serves a live stream whose first connection ends in the middle of its second event. The
// next one must ask for what comes after the first event.
func cutOff(t *testing.T, event, second string) *client.Client {
	t.Helper()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if calls.Add(1) == 1 {
			_, _ = fmt.Fprintf(w, "id: 5\nevent: %s\ndata: {\"revision\": 5}\n\nid: 6\nevent: %s\ndata: {\"revi", event, event)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		if r.Header.Get("Last-Event-ID") != "5" {
			w.WriteHeader(http.StatusConflict)
			return
		}
		_, _ = fmt.Fprintf(w, ": still here\n\nid: 6\nevent: %s\ndata: %s\n\n", event, second)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{Server: server.URL, Backoff: time.Millisecond})
	require.NoError(t, err)
	return c
}

func TestAnEventThatIsCutOffIsReadAgain(t *testing.T) {
	t.Parallel()
	var revisions []uint64
	for e, err := range cutOff(t, "run.started.v1", `{"revision": 6}`).Follow(t.Context(), uuid.New(), 5) {
		require.NoError(t, err)
		if revisions = append(revisions, e.Revision); len(revisions) == 2 {
			break
		}
	}
	require.Equal(t, []uint64{5, 6}, revisions)

	revisions = nil
	for row, err := range cutOff(t, "act", `{"revision": 6}`).FollowAudit(t.Context(), "", audit.Filter{}) {
		require.NoError(t, err)
		if revisions = append(revisions, row.Revision); len(revisions) == 2 {
			break
		}
	}
	require.Equal(t, []uint64{5, 6}, revisions)
}

func TestAnEventThatCannotBeReadEndsFollowing(t *testing.T) {
	t.Parallel()
	var failed error
	for _, err := range cutOff(t, "run.started.v1", `not JSON`).Follow(t.Context(), uuid.New(), 5) {
		failed = err
	}
	require.ErrorContains(t, failed, "unreadable answer")
}

// TestAnOpenConnectionOnWhichNothingComesIsLost: the client says so and connects anew, before the
// first answer and after it, for a stream and for a wait.
func TestAnOpenConnectionOnWhichNothingComesIsLost(t *testing.T) {
	t.Parallel()
	var hangs atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/result") {
			if hangs.Add(1) > 1 {
				_, _ = fmt.Fprint(w, `{"run":"`+uuid.NewString()+`","state":"completed","output":7}`)
				return
			}
			<-r.Context().Done()
			return
		}
		if hangs.Add(1) == 1 { // it does not even answer
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if r.Header.Get("Last-Event-ID") == "5" {
			_, _ = fmt.Fprint(w, "id: 6\nevent: run.started.v1\ndata: {\"revision\": 6}\n\n")
			return
		}
		_, _ = fmt.Fprint(w, "id: 5\nevent: run.started.v1\ndata: {\"revision\": 5}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	lost := make(chan string, 100)
	c, err := client.New(client.Config{Server: server.URL, Backoff: time.Millisecond, Silence: 300 * time.Millisecond, Poll: time.Millisecond, Answers: func(err error) {
		if err != nil {
			lost <- err.Error()
		}
	}})
	require.NoError(t, err)
	var revisions []uint64
	for e, err := range c.Follow(t.Context(), uuid.New(), 5) {
		require.NoError(t, err)
		if revisions = append(revisions, e.Revision); len(revisions) == 2 {
			break
		}
	}
	require.Equal(t, []uint64{5, 6}, revisions)
	require.GreaterOrEqual(t, len(lost), 2)
	require.Equal(t, "nothing was heard for 300ms", <-lost)

	hangs.Store(0)
	out, err := c.Wait(t.Context(), uuid.New())
	require.NoError(t, err)
	require.JSONEq(t, "7", string(out))
}
