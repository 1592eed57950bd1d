package webui_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestAnEventLeadsToTheRunsOfIt emits events that start a run and wake another, and follows them.
func TestAnEventLeadsToTheRunsOfIt(t *testing.T) {
	woken := saga.Define("woken", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.AwaitEvent[string](f, "tea.ready", in.In)
	})
	started := saga.Define("started", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.Return(f, in.In)
	})
	w := newWorld(t, func(cfg *webui.Config) {
		c := cfg.Coordinator.(*saga.Coordinator)
		require.NoError(t, c.Register(woken, started))
		require.NoError(t, c.RegisterTriggers(&saga.Trigger[string, string]{Saga: started, Type: "tea.ordered"}))
	})
	r, err := saga.Start(w.ctx, w.c, woken, "cup-1", saga.Key("cup-1"))
	require.NoError(t, err)
	w.until(r.ID, "await.opened.v1")
	ordered, err := w.c.EmitEvent(w.ctx, "tea-1", "tea.ordered", []byte(`"cup-1 & \u003csaucer>"`), saga.EmitOptions{})
	require.NoError(t, err)
	_, err = w.c.EmitEvent(w.ctx, "tea-1", "tea.ready", []byte(`"hot"`), saga.EmitOptions{Correlation: "cup-1"})
	require.NoError(t, err)
	_, err = r.Wait(w.ctx)
	require.NoError(t, err)
	id := domain.RunIDForEvent("started", ordered.ID)
	w.until(id, "run.completed.v1")
	w.settled()
	b := newBrowser(t, w)
	for _, width := range []int64{390, 1280} {
		b.screen(width, 860, "light")
		b.open("/ui/events?stream=tea-1")
		b.sees(".c-led", "started started")
		b.sees(".c-led", "woke woken")
		b.holds(`document.querySelectorAll(".ev tbody tr").length === 2 && document.documentElement.scrollWidth <= innerWidth`)
		b.shoot(fmt.Sprintf("events-led-%d", width))
	}
	b.sees(".ev", `"cup-1 & <saucer>"`)
	b.open("/ui/events?type=tea.ord")
	b.holds(`document.querySelectorAll(".ev tbody tr").length === 1`)
	b.click(".c-led a")
	b.arrives("/ui/runs/" + id.String())
	b.clean()
}

// TestEventsAreFoundBehindManyRuns finds a few events, however they are asked for, behind 60,000
// records of runs.
func TestEventsAreFoundBehindManyRuns(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		for _, stream := range []string{"tea-1", fmt.Sprintf("teapot-%d", i)} {
			_, err := w.c.EmitEvent(w.ctx, stream, "tea.ordered", []byte(`1`), saga.EmitOptions{Correlation: "pot-1"})
			require.NoError(t, err)
		}
	}
	filler := make([]domain.NewEvent, 1000)
	for range 60 {
		stream, hash := domain.RunStream(domain.NewRunID()), domain.ChainHash{}
		for k := range filler {
			filler[k], hash = domain.Seal(stream, uint64(k), hash, &domain.AttemptHeartbeat{Step: "s"}, domain.Meta{})
		}
		_, err := w.log.Append(w.ctx, stream, domain.NoStream, filler...)
		require.NoError(t, err)
	}
	w.settled()
	for _, path := range []string{"", "?stream=tea-1", "?stream=teapot", "?type=tea.", "?type=tea.ordered", "?correlation=pot-1"} {
		var took []time.Duration
		for range 40 {
			begun := time.Now()
			_, body, _ := w.get("/ui/events" + path)
			took = append(took, time.Since(begun))
			require.Equal(t, 50, strings.Count(body, `<tr id="e-`), path)
		}
		slices.Sort(took)
		t.Logf("/ui/events%-22s fastest %v, median %v, 95th percentile %v", path, took[0], took[20], took[37])
	}
}

// countedReads counts the events that a page reads of the log.
type countedReads struct {
	webui.Log
	n int
}

func (c *countedReads) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for e, err := range c.Log.ReadStream(ctx, stream, from) {
			c.n++
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestEveryPageOfAStreamReadsItselfOnly: a page reads the events that it shows, and no others.
func TestEveryPageOfAStreamReadsItselfOnly(t *testing.T) {
	t.Parallel()
	var reads *countedReads
	w := newWorld(t, func(cfg *webui.Config) {
		reads = &countedReads{Log: cfg.Log}
		cfg.Log, cfg.PageSize = reads, 10
	})
	list := make([]domain.NewEvent, 100)
	for i := range list {
		list[i] = domain.NewEvent{ID: uuid.New(), Type: "tea.ordered", Data: fmt.Appendf(nil, `{"cup":%d}`, i)}
	}
	at, err := w.log.Append(w.ctx, "tea-1", domain.NoStream, list...)
	require.NoError(t, err)
	require.NoError(t, w.run.AtLeast(w.ctx, "events", at.Position, time.Minute))
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`)
	follow := func(path string) (pages, rows int) {
		for path != "" {
			reads.n = 0
			_, body, _ := w.get(path)
			require.LessOrEqual(t, reads.n, 10, path)
			pages, rows = pages+1, rows+strings.Count(body, `<tr id="e-`)
			path = ""
			if m := next.FindStringSubmatch(body); m != nil {
				path = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		return pages, rows
	}
	pages, rows := follow("/ui/events?stream=tea-1")
	require.Equal(t, 10, pages)
	require.Equal(t, 100, rows)
	var fifth domain.Position
	for e, err := range w.log.ReadStream(w.ctx, "tea-1", 5) {
		require.NoError(t, err)
		fifth = e.Position
		break
	}
	for _, before := range []string{"%d", "%d-4"} { // the second is an address of an older page
		_, rows = follow(fmt.Sprintf("/ui/events?stream=tea-1&before="+before, fifth))
		require.Equal(t, 5, rows)
	}
}

// forgetful is a log that has lost some streams and can't read others.
type forgetful struct {
	webui.Log
	lost, broken string
}

func (f *forgetful) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	switch stream {
	case f.lost:
		return func(func(domain.Recorded, error) bool) {}
	case f.broken:
		return func(yield func(domain.Recorded, error) bool) {
			yield(domain.Recorded{}, errors.New("block 7 of /secret/disk"))
		}
	}
	return f.Log.ReadStream(ctx, stream, from)
}

// TestAnEventThatIsGoneIsSaidToBe: the page lists it, says so, and shows the others.
func TestAnEventThatIsGoneIsSaidToBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *webui.Config) { cfg.Log = &forgetful{cfg.Log, "tea-1", "tea-2"} })
	for i := range 3 {
		_, err := w.c.EmitEvent(w.ctx, fmt.Sprintf("tea-%d", i+1), "tea.<b>ordered</b>", fmt.Appendf(nil, `"cup %d"`, i+1), saga.EmitOptions{})
		require.NoError(t, err)
	}
	w.settled()
	status, body, _ := w.get("/ui/events")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 3, strings.Count(body, `<tr id="e-`))
	require.Contains(t, body, "deleted from the log since")
	require.Contains(t, body, "can&#39;t be read from the log now")
	require.Contains(t, body, "cup 3")
	require.Contains(t, body, "tea.&lt;b&gt;ordered")
	for _, not := range []string{"cup 1", "cup 2", "/secret/disk", "<b>ordered"} {
		require.NotContains(t, body, not)
	}
}

// TestAPersonSeesTheEventsOfTheirSagasOnly: not those of other sagas, nor those of apps.
func TestAPersonSeesTheEventsOfTheirSagasOnly(t *testing.T) {
	t.Parallel()
	bound := &boundTo{}
	w := newWorld(t, func(cfg *webui.Config) { cfg.Sessions = bound })
	_, err := w.c.EmitEvent(w.ctx, "tea-1", "tea.ordered", []byte(`1`), saga.EmitOptions{})
	require.NoError(t, err)
	w.completed("c-1")
	w.settled()
	for saga, want := range map[string]int{"": 2, "order": 1, "other": 0} {
		if bound.sagas = nil; saga != "" {
			bound.sagas = []string{saga}
		}
		_, body, _ := w.get("/ui/events")
		require.Equal(t, want, strings.Count(body, `<tr id="e-`), saga)
	}
}

// boundTo is a session of somebody who sees some sagas only.
type boundTo struct {
	webui.Sessions
	sagas []string
}

func (b *boundTo) Who(*http.Request) (webui.Person, bool) {
	return webui.Person{Name: "kim", Sagas: b.sagas}, true
}

// TestEventsAreFoundByTimeAndExactType, and what can't be read as a time is said, and lists
// nothing.
func TestEventsAreFoundByTimeAndExactType(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *webui.Config) { c.PageSize = 1 })
	for _, of := range []string{"tea.ordered", "tea.ordered.twice"} {
		_, err := w.c.EmitEvent(w.ctx, "tea-1", of, []byte(`1`), saga.EmitOptions{})
		require.NoError(t, err)
	}
	w.settled()
	found := func(query string) (types []string) {
		for path := "/ui/events?" + query; path != ""; {
			status, body, _ := w.get(path)
			require.Equal(t, http.StatusOK, status, path)
			for _, m := range regexp.MustCompile(`exact=1&amp;type=([^"]+)"><b>`).FindAllStringSubmatch(body, -1) {
				types = append(types, m[1])
			}
			path = ""
			if m := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(body); m != nil {
				path = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		return types
	}
	both := []string{"tea.ordered.twice", "tea.ordered"}
	require.Equal(t, both, found("type=tea.ordered"))
	require.Equal(t, both[1:], found("type=tea.ordered&exact=1"))
	require.Equal(t, both, found("type=tea&since=2h"))
	require.Empty(t, found("type=tea&until=2h"))
	require.Empty(t, found("type=tea&since=2026-01-01&until=2026-01-02"))
	require.Equal(t, both, found("type=tea&since=2026-01-01T00:00:00Z&until=2200-01-01"))
	_, body, _ := w.get("/ui/events?since=yesterday&until=soon")
	require.Contains(t, body, "since: yesterday is not a time: write how long ago")
	require.Contains(t, body, "until: soon is not a time")
	require.Contains(t, body, "Nothing was searched.")
	require.NotContains(t, body, "<table")
	require.Contains(t, body, `value="yesterday"`, "what was typed is kept")
}
