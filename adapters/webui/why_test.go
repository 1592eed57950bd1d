package webui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga"
)

// TestTimesOfASentenceAreForTheReadersZone: an instant is an element that the browser writes, and
// the zone is named once.
func TestTimesOfASentenceAreForTheReadersZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.waiting("w-1")
	_, body, _ := w.get("/ui/runs/" + id.String())
	require.Regexp(t, `waits for signal approved, at most until <time datetime="\d{4}-[^"]+Z" data-clock>[^<]+ UTC</time> \(in`, body)
	require.Contains(t, body, `<span id="zone">times in UTC</span>`)
	w.settled()
	_, body, _ = w.get("/ui/runs")
	require.Regexp(t, `at most until <time datetime="\d{4}-[^"]+Z" data-clock>`, body)
}

// TestWhyLeadsToTheRunBelow: of a run whose child is stuck the page says so, with a link to it.
func TestWhyLeadsToTheRunBelow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run, err := saga.Start(w.ctx, w.c, w.above, "x", saga.Key("a-1"))
	require.NoError(t, err)
	below := domain.ChildRunID(run.ID, "below")
	w.until(below, "run.stuck.v1")
	w.settled()
	_, body, _ := w.get("/ui/runs/" + run.ID.String())
	require.Contains(t, body, `<span class="pill big t-stuck-below">`)
	require.Contains(t, body, `>1&#43;1</span>`, "the badge counts what is stuck below, too")
	require.Contains(t, body, "stuck below: run "+below.String()+" of hostile is stuck: explode failed")
	require.Contains(t, body, `<a href="/ui/runs/`+below.String()+`">hostile `)
	require.NotContains(t, body, "<script>window.hacked", "what the child says is text here, too")
}

// TestKeptSignalsAreShown: a signal that nothing awaits is no secret to whoever looks for it.
func TestKeptSignalsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.waiting("w-1")
	require.NoError(t, w.c.Signal(w.ctx, id, "aproved", map[string]string{"by": "ada"}, saga.Keep()))
	_, body, _ := w.get("/ui/runs/" + id.String())
	require.Contains(t, body, "Signals that nothing has awaited")
	_, after, _ := strings.Cut(body, "Signals that nothing has awaited")
	require.Contains(t, after, "<b>aproved</b>")
}

// TestALeverThatIsOffSaysWhy: by the answer that the library and the API give.
func TestALeverThatIsOffSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.stuck("s-1")
	_, body, _ := w.get("/ui/runs/" + id.String())
	require.Contains(t, body, "The run is already being undone.")
	status, _, _ := w.post("/ui/runs/"+id.String()+"/lever/pause", url.Values{"reason": {"look"}})
	require.Equal(t, 303, status)
	_, body, _ = w.get("/ui/runs/" + id.String())
	require.Contains(t, body, "/lever/resume")
	require.NotContains(t, body, "/lever/pause")
}

// TestARunWhoseBeginningCannotBeReadIsListed as blocked, with its id and why, and counted; its page
// says the same. People who are bound to some sagas see nothing of it.
func TestARunWhoseBeginningCannotBeReadIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded)
	readable := w.waiting("w-1")
	headless, foreign := uuid.New(), uuid.New()
	for id, e := range map[domain.RunID]domain.NewEvent{
		headless: {ID: uuid.New(), Type: "run.started.v9", Data: []byte(`{}`), Metadata: []byte(`{"at":"2026-01-01T00:00:00Z"}`)},
		foreign:  {ID: uuid.New(), Type: "run.completed.v1", Data: []byte(`{}`), Metadata: []byte(`{"at":"2026-01-01T00:00:00Z"}`)},
	} {
		_, err := w.log.Append(w.ctx, domain.RunStream(id), domain.NoStream, e)
		require.NoError(t, err)
	}
	w.settled()
	_, body, _ := w.get("/ui/runs?state=blocked", "Cookie", "session=ops")
	require.Contains(t, body, `id="r-`+headless.String()+`"`)
	require.Contains(t, body, "unknown saga")
	require.Contains(t, body, "it can&#39;t be read: run-"+headless.String()+" revision 0")
	require.NotContains(t, body, `id="r-`+readable.String()+`"`)
	counts, err := w.read.RunCounts(w.ctx, runs.Filter{})
	require.NoError(t, err)
	require.Equal(t, 1, counts[runs.StateBlocked], "the other one has ended")
	names, err := w.read.RunNames(w.ctx, runs.Sagas, "")
	require.NoError(t, err)
	require.Equal(t, []string{"big-order"}, names)
	of, err := w.read.UnfinishedByVersion(w.ctx)
	require.NoError(t, err)
	require.Equal(t, []runs.OfVersion{{Saga: "big-order", Version: 1, Runs: 1}}, of)
	for _, id := range []domain.RunID{headless, foreign} {
		status, body, _ := w.get("/ui/runs/"+id.String(), "Cookie", "session=ops")
		require.Equal(t, http.StatusConflict, status)
		require.Contains(t, body, "run "+id.String()+" can&#39;t be read and waits until a program that can read it starts")
		status, _, _ = w.get("/ui/runs/"+id.String(), "Cookie", "session=upper")
		require.Equal(t, http.StatusNotFound, status)
		_, body, _ = w.get("/ui/runs", "Cookie", "session=upper")
		require.NotContains(t, body, id.String())
	}
}
