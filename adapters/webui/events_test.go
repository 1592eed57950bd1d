package webui_test

import (
	"context"
	"fmt"
	"iter"
	"regexp"
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

// TestAStreamIsFoundAmongManyRecords finds the events of a stream by the log's index, however many
// records lie before them.
func TestAStreamIsFoundAmongManyRecords(t *testing.T) {
	w := newWorld(t)
	_, err := w.c.EmitEvent(w.ctx, "tea-1", "tea.ordered", []byte(`1`), saga.EmitOptions{})
	require.NoError(t, err)
	filler := make([]domain.NewEvent, 1000)
	for i := range 200 {
		for k := range filler {
			filler[k] = domain.NewEvent{ID: uuid.New(), Type: "row", Data: []byte(`1`)}
		}
		_, err := w.log.Append(w.ctx, fmt.Sprintf("filler-%d", i), domain.NoStream, filler...)
		require.NoError(t, err)
	}
	begun := time.Now()
	body := w.timed("/ui/events?stream=tea-1")
	t.Logf("the stream: %v", time.Since(begun))
	require.Contains(t, body, "tea.ordered")
	require.NotContains(t, body, "Looked at")
}

// backwardReads counts the events that a page reads of one stream.
type backwardReads struct {
	webui.Log
	n int
}

func (c *backwardReads) ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for e, err := range c.Log.ReadStreamBackward(ctx, stream, from) {
			c.n++
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestEveryPageOfAStreamReadsItselfOnly: a later page does not read the pages before it again, and
// a place without a revision, which somebody may type, is searched for within the limit of a page.
func TestEveryPageOfAStreamReadsItselfOnly(t *testing.T) {
	t.Parallel()
	var reads *backwardReads
	w := newWorld(t, func(cfg *webui.Config) {
		reads = &backwardReads{Log: cfg.Log}
		cfg.Log, cfg.PageSize, cfg.ScanLimit = reads, 10, 15
	})
	events := make([]domain.NewEvent, 100)
	for i := range events {
		events[i] = domain.NewEvent{ID: uuid.New(), Type: "tea.ordered", Data: fmt.Appendf(nil, `{"cup":%d}`, i)}
	}
	_, err := w.log.Append(w.ctx, "tea-1", domain.NoStream, events...)
	require.NoError(t, err)
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`)
	follow := func(path string) (pages, rows int) {
		for path != "" {
			reads.n = 0
			_, body, _ := w.get(path)
			require.LessOrEqual(t, reads.n, 15, path)
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
	_, rows = follow(fmt.Sprintf("/ui/events?stream=tea-1&before=%d", fifth))
	require.Equal(t, 5, rows)
}
