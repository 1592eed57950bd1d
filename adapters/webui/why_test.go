package webui_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

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

// TestAListSaysWhatARunIsStuckOnBelow: the run, its step and the cause, over as many levels as
// there are, with a link; in the page's list and in the API's rows. Each run of the chain has its
// icon.
func TestAListSaysWhatARunIsStuckOnBelow(t *testing.T) {
	t.Parallel()
	var top *saga.Saga[string, string]
	w := newProgram(t, time.Millisecond, saga.Config{}, func(w *world) {
		w.define()
		top = saga.Define("top", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			return saga.Child(f, w.above, in.In, saga.Name("middle"))
		})
		require.NoError(t, w.c.Register(top))
	})
	run, err := saga.Start(w.ctx, w.c, top, "x", saga.Key("t-1"))
	require.NoError(t, err)
	middle := domain.ChildRunID(run.ID, "middle")
	below := domain.ChildRunID(middle, "below")
	w.until(below, "run.stuck.v1")
	w.settled()
	_, body, _ := w.get("/ui/runs?state=stuck-below")
	require.Equal(t, 2, strings.Count(body, "hostile "+below.String()[24:]+" at explode: failed with"), "of both runs above it")
	require.Equal(t, 2, strings.Count(body, `<a href="/ui/runs/`+below.String()+`">To the stuck run</a>`))
	require.NotContains(t, body, "waits for child run")
	require.NotContains(t, body, "<script>window.hacked")
	_, body, _ = w.get("/ui/runs/" + run.ID.String())
	require.Regexp(t, `<span class="pill t-waiting"><svg class="mark"[^>]*><path[^>]*/></svg>waiting</span>`, body)
	require.Regexp(t, `<span class="pill t-stuck"><svg class="mark"[^>]*><path[^>]*/></svg>stuck</span>`, body)
}

// TestALongErrorLeavesThePageReadable: of a run that ended with one the page shows its beginning,
// and all of it in a block that scrolls; lists show the beginning alone. Characters that turn text
// round are written out.
func TestALongErrorLeavesThePageReadable(t *testing.T) {
	t.Parallel()
	long := "payment refused\u202e: " + strings.Repeat("stack frame of the provider\n", 20_000)
	var fails *saga.Saga[string, string]
	w := newProgram(t, time.Millisecond, saga.Config{}, func(w *world) {
		w.define()
		bad := &saga.Action[string, string]{Name: "refuse", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1},
			Do: func(context.Context, string) (string, error) { return "", saga.Permanent(errors.New(long)) }}
		fails = saga.Define("fails", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Do(f, bad, in.In) })
		require.NoError(t, w.c.Register(fails))
	})
	r, err := saga.Start(w.ctx, w.c, fails, "x", saga.Key("f-1"))
	require.NoError(t, err)
	_, err = r.Wait(w.ctx)
	require.Error(t, err)
	require.NoError(t, w.c.Pause(w.ctx, w.waiting("w-1"), strings.Repeat("a long story ", 1000)))
	w.settled()
	b := newBrowser(t, w)
	for _, width := range []int64{1280, 390} {
		b.screen(width, 860, "light")
		b.open("/ui/runs/" + r.ID.String())
		b.sees("#why", `compensated after`)
		b.holds(`document.getElementById("why").getBoundingClientRect().height < 200 && document.documentElement.scrollWidth <= innerWidth`)
		b.shoot(fmt.Sprintf("long-error-%d", width))
		b.click(".whole summary")
		b.holds(`(() => { const p = document.querySelector(".whole pre"); return p.textContent.length > 10000 && p.getBoundingClientRect().height < 300 && !p.textContent.includes("\u202e") && p.textContent.includes("\\u202e") })()`)
	}
	for _, path := range []string{"/ui/runs", "/ui/audit"} {
		_, body, _ := w.get(path)
		require.Less(t, len(body), 60_000, path)
		require.Contains(t, body, "payment refused", path)
		require.NotContains(t, body, "\u202e", path)
	}
	b.clean()
}
