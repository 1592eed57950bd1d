package webui_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
)

// TestTenThousandRuns leafs through a long list; the figures are logged, for people.
func TestTenThousandRuns(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	const runs, starters = 10_000, 16
	for k := range starters {
		all.Go(func() {
			for i := k; i < runs; i += starters {
				r, err := saga.Start(w.ctx, w.c, w.bulk, 0, saga.Key(strconv.Itoa(i)))
				if err == nil {
					_, err = r.Wait(w.ctx)
				}
				if err != nil {
					t.Errorf("run %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	w.settled()
	begun := time.Now()
	status, body, _ := w.get("/ui/runs")
	require.Equal(t, http.StatusOK, status)
	require.Len(t, rowsOf(body), 50)
	t.Logf("first page of %d runs: %v, %d KiB", runs, time.Since(begun), len(body)>>10)
	begun = time.Now()
	_, body, _ = w.get("/ui/runs?sort=oldest&q=saga:recalculate&state=completed")
	require.Len(t, rowsOf(body), 50)
	t.Logf("filtered, from the other end: %v", time.Since(begun))
	b := newBrowser(t, w)
	b.open("/ui/runs")
	b.holds(`document.querySelectorAll(".runs tbody tr").length === 50`)
	b.click(`a[rel="next"]`)
	b.holds(`location.search.includes("cursor=") && document.querySelectorAll(".runs tbody tr").length === 50`)
	b.clean()
}

// TestThousandSteps shows a run of a thousand items.
func TestThousandSteps(t *testing.T) {
	w := newWorld(t)
	r, err := saga.Start(w.ctx, w.c, w.bulk, 1_000)
	require.NoError(t, err)
	_, err = r.Wait(w.ctx)
	require.NoError(t, err)
	path := "/ui/runs/" + r.ID.String()
	for _, tab := range []string{"", "plan", "audit", "data", "undo"} {
		begun := time.Now()
		status, body, _ := w.get(path + "?tab=" + tab)
		require.Equal(t, http.StatusOK, status)
		t.Logf("tab %q of a run of 1,000 items: %v, %d KiB", tab, time.Since(begun), len(body)>>10)
	}
	b := newBrowser(t, w)
	begun := time.Now()
	b.open(path)
	b.holds(`document.querySelectorAll(".tl-step").length === 1001`)
	t.Logf("open, in Chromium: %v", time.Since(begun))
	b.shoot("thousand-steps")
	begun = time.Now()
	b.keys("+")
	b.holds(`document.querySelector("#timeline").className === "tl z1"`)
	t.Logf("zoom: %v", time.Since(begun))
	frame := run(b, chromedp.Evaluate[float64](`(() => { const a = performance.now(); const tl = document.querySelector("#timeline"); tl.scrollTo(0, tl.scrollHeight); tl.offsetHeight; return performance.now() - a })()`))
	t.Logf("scroll to the end: %.1f ms", frame)
	b.holds(`document.querySelector("#timeline").scrollTop > 5000`)
	b.shoot("thousand-steps-end")
	b.clean()
}
