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

// soon is far more than a page takes, busy machines included: it holds a page whose cost grows with
// the list, or with the square of the steps.
const soon = 10 * time.Second

// timed fetches a page and logs how long that took, for people.
func (w *world) timed(path string) string {
	w.t.Helper()
	begun := time.Now()
	status, body, _ := w.get(path)
	took := time.Since(begun)
	require.Equal(w.t, http.StatusOK, status, path)
	require.Less(w.t, took, soon, path)
	require.Less(w.t, len(body), 4<<20, path)
	w.t.Logf("%s: %v, %d KiB", path, took, len(body)>>10)
	return body
}

// TestTenThousandRuns leafs through a long list.
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
	require.Len(t, rowsOf(w.timed("/ui/runs")), 50)
	require.Len(t, rowsOf(w.timed("/ui/runs?sort=oldest&q=saga:recalculate&state=completed")), 50)
	for _, path := range []string{"/ui/audit", "/ui/audit?sort=oldest&q=saga:recalculate+what:run.completed", "/ui/incidents?state=all", "/ui/stats", "/ui/events"} {
		w.timed(path)
	}
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
		w.timed(path + "?tab=" + tab)
		w.timed(path + "?at=1500&tab=" + tab)
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
