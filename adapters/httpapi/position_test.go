package httpapi_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runs"
)

// TestAListAskedForAfterAnActShowsIt has every act tell the log position, and a list that is asked
// for with that position as at_least has what the act did, though views follow the log later.
func TestAListAskedForAfterAnActShowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	after := func(r answer) string {
		t.Helper()
		at := r.header.Get(wire.PositionHeader)
		n, err := strconv.ParseUint(at, 10, 64)
		require.NoError(t, err, "%v", r.header)
		require.Positive(t, n)
		return at
	}
	var started wire.Result
	at := after(w.do("POST", "/sagas/approval/runs", `{"email":"a@b"}`, "Idempotency-Key", "k").is(202).into(&started))
	require.Equal(t, at, strconv.FormatUint(uint64(started.Position), 10))
	listed := func(at string) wire.RunItem {
		t.Helper()
		var page wire.Page[wire.RunItem]
		w.do("GET", "/runs?key=k&within=30s&at_least="+at, "").is(200).into(&page)
		require.Len(t, page.Items, 1)
		return page.Items[0]
	}
	require.Equal(t, domain.RunRunning, listed(at).State)
	run := "/runs/" + started.Run.String()
	at = after(w.do("POST", run+"/pause", `{"reason":"lunch"}`).is(204))
	require.Equal(t, "lunch", listed(at).Paused)
	at = after(w.do("POST", "/bulk", `{"act":"resume","reason":"go on","filter":{"key_prefix":"k"}}`).is(200))
	require.Empty(t, listed(at).Paused)
	at = after(w.do("POST", run+"/cancel", `{}`).is(204))
	require.NotEqual(t, domain.RunRunning, listed(at).State)
	at = after(w.do("GET", run+"/result?wait=30s", "").is(200))
	require.Equal(t, domain.RunIsCancelled, listed(at).State)
}

// TestAClientSeesItsOwnActs is the same in Go.
func TestAClientSeesItsOwnActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	c, err := client.New(client.Config{Server: w.http.URL})
	require.NoError(t, err)
	require.Zero(t, c.Position())
	for n := range 20 {
		run, err := client.Start(t.Context(), c, approval, form{Email: "a@b"})
		require.NoError(t, err)
		require.NoError(t, c.Pause(t.Context(), run.ID, strconv.Itoa(n)))
		page, err := c.Runs(t.Context(), runs.Filter{Limit: 1, Fresh: projections.Fresh{AtLeast: c.Position()}})
		require.NoError(t, err)
		require.Equal(t, run.ID, page.Items[0].ID)
		require.Equal(t, strconv.Itoa(n), page.Items[0].Paused)
	}
}

// lagging are views whose runs stand still as long as they are asked for the latest.
type lagging struct {
	httpapi.Views
	asked []projections.Fresh
}

func (l *lagging) Runs(ctx context.Context, f runs.Filter) (runs.Page, error) {
	l.asked = append(l.asked, f.Fresh)
	if f.AtLeast > 0 {
		return runs.Page{}, projections.ErrBehind
	}
	return l.Views.Runs(ctx, f)
}

// TestTheLatestIsWaitedForButNotInsistedOn: a list that is asked for the latest rows asks for those
// at the log's end and, where the view does not come so far, answers with what there is.
func TestTheLatestIsWaitedForButNotInsistedOn(t *testing.T) {
	t.Parallel()
	views := &lagging{}
	w := newWorld(t, worldConfig{adjust: func(c *httpapi.Config) { views.Views, c.Views = c.Views, views }})
	var started wire.Result
	w.do("POST", "/sagas/approval/runs", `{"email":"a@b"}`, "Idempotency-Key", "k").is(202).into(&started)
	c, err := client.New(client.Config{Server: w.http.URL, Latest: true})
	require.NoError(t, err)
	_, err = c.Runs(t.Context(), runs.Filter{})
	require.NoError(t, err)
	require.Len(t, views.asked, 2)
	require.GreaterOrEqual(t, views.asked[0].AtLeast, started.Position)
	require.Equal(t, time.Second, views.asked[0].Wait)
	require.Zero(t, views.asked[1])
}
