package webui_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga"
)

// countsHang are views that count nothing until the reader leaves or the page gives up.
type countsHang struct {
	webui.Views
	asked chan struct{}
	until chan struct{}
}

func (v *countsHang) RunCounts(ctx context.Context, _ runs.Filter) (map[domain.RunState]int, error) {
	v.asked <- struct{}{}
	select {
	case <-v.until:
		return map[domain.RunState]int{runs.StateStuckBelow: 7}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestAViewThatHangsHoldsUpNoOtherPage: while one page waits for a count, others come without it.
func TestAViewThatHangsHoldsUpNoOtherPage(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	views := &countsHang{asked: make(chan struct{}, 10), until: make(chan struct{})}
	w := newWorld(t, func(cfg *webui.Config) {
		views.Views, cfg.Views = cfg.Views, views
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	w.stuck("s-1")
	first := make(chan int, 1)
	go func() {
		status, _, _ := w.get("/ui/sagas")
		first <- status
	}()
	<-views.asked
	for range 3 {
		status, body, _ := w.get("/ui/sagas")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `>1</span></a>`, "the badge has the stuck run alone")
	}
	require.Equal(t, http.StatusOK, <-first, "the page that asked gives up")
	require.Empty(t, views.asked, "only one page asked")
	close(views.until)
	ahead.Store(int64(time.Hour))
	_, body, _ := w.get("/ui/sagas")
	require.Contains(t, body, `>1&#43;7</span></a>`)
}

// TestTheBadgeCountsWhatTheListsHave: stuck runs, and runs that have a stuck one below them.
func TestTheBadgeCountsWhatTheListsHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stuck("s-1")
	for _, key := range []string{"a-1", "a-2"} {
		run, err := saga.Start(w.ctx, w.c, w.above, "x", saga.Key(key))
		require.NoError(t, err)
		_, err = run.Wait(w.ctx, saga.OrStuckBelow())
		var stuck *saga.StuckError
		require.ErrorAs(t, err, &stuck)
	}
	w.settled()
	for state, want := range map[domain.RunState]int{domain.RunIsStuck: 3, runs.StateStuckBelow: 2} {
		_, body, _ := w.get("/ui/runs?state=" + string(state))
		require.Contains(t, body, `>3&#43;2</span></a>`, state)
		require.Regexp(t, fmt.Sprintf(`class="chip t-%s" aria-current="true">[^\n]*?<b>%d</b></a>`, state, want), body)
		require.Equal(t, want, strings.Count(body, `<tr id="r-`), state)
	}
}
