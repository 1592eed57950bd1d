package webui_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
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

// weight is how many bytes of a page, or of what it loads, a browser receives.
func (w *world) weight(path, encoding string) int {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	require.NoError(w.t, err)
	req.Header.Set("Accept-Encoding", encoding)
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(w.t, err)
	if n > 1<<10 { // less is not worth it
		require.Equal(w.t, encoding, res.Header.Get("Content-Encoding"), path)
		require.Contains(w.t, strings.Join(res.Header.Values("Vary"), ", "), "Accept-Encoding")
	}
	return int(n)
}

var asset = regexp.MustCompile(`(?:src|href)="(/ui/static/[^"]+\.(?:js|css))"`)

// TestTheListOfRunsIsLight weighs the list of fifty stuck runs, with all that it loads.
func TestTheListOfRunsIsLight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 50 {
		w.stuck("light-" + strconv.Itoa(i))
	}
	w.settled()
	_, body, _ := w.get("/ui/runs")
	require.Len(t, rowsOf(body), 50)
	for _, encoding := range []string{"gzip", "zstd"} {
		sum := w.weight("/ui/runs", encoding)
		t.Logf("the list: %d bytes in %s", sum, encoding)
		for _, a := range asset.FindAllStringSubmatch(body, -1) {
			sum += w.weight(a[1], encoding)
		}
		t.Logf("with scripts and styles: %d bytes", sum)
		require.LessOrEqual(t, sum, 60<<10)
	}
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
func TestThousandSteps(t *testing.T) { manySteps(t, 1_000, "1\u2009000 done") }

// TestTenThousandSteps shows a run of ten thousand items.
func TestTenThousandSteps(t *testing.T) { manySteps(t, 10_000, "10\u2009000 done") }

func manySteps(t *testing.T, items int, folded string) {
	w := newWorld(t)
	r, err := saga.Start(w.ctx, w.c, w.bulk, items)
	require.NoError(t, err)
	_, err = r.Wait(w.ctx)
	require.NoError(t, err)
	path := "/ui/runs/" + r.ID.String()
	weight := w.weight(path+"?open=row", "gzip")
	t.Logf("a page of its timeline: %d bytes", weight)
	require.LessOrEqual(t, max(weight, w.weight(path, "gzip")), 150<<10)
	for _, tab := range []string{"", "plan", "audit", "data", "undo"} {
		w.timed(path + "?tab=" + tab)
		w.timed(path + "?at=1500&tab=" + tab)
		require.LessOrEqual(t, w.weight(path+"?tab="+tab, "gzip"), 150<<10, tab)
	}
	w.timed(path + "/step?path=row/700/double")
	b := newBrowser(t, w)
	begun := time.Now()
	b.open(path)
	b.sees(".tl-fold", folded)
	b.holds(`document.querySelectorAll("*").length <= 3000`)
	b.click(".tl-fold")
	b.holds(`document.querySelectorAll(".tl-step").length === 120 && document.querySelectorAll("*").length <= 3000`)
	b.click(`nav[aria-label="Rows"] a[rel="next"]`)
	b.holds(`location.search.includes("row=120") && document.querySelectorAll(".tl-step").length === 120`)
	t.Logf("open, in Chromium: %v", time.Since(begun))
	b.shoot(fmt.Sprintf("%d-steps", items))
	begun = time.Now()
	b.keys("+")
	b.holds(`document.querySelector("#timeline").className === "tl z1"`)
	t.Logf("zoom: %v", time.Since(begun))
	frame := run(b, chromedp.Evaluate[float64](`(() => { const a = performance.now(); const tl = document.querySelector("#timeline"); tl.scrollTo(0, tl.scrollHeight); tl.offsetHeight; return performance.now() - a })()`))
	t.Logf("scroll to the end: %.1f ms", frame)
	b.holds(`document.querySelector("#timeline").scrollTop > 500`)
	b.shoot(fmt.Sprintf("%d-steps-end", items))
	b.open(path + "?find=row/777/")
	b.holds(`document.querySelectorAll(".tl-step").length >= 1 && document.querySelectorAll(".tl-step").length < 20`)
	for _, tab := range []string{"audit", "data"} {
		b.open(path + "?tab=" + tab)
		b.holds(`document.querySelectorAll("*").length <= 6000`)
		b.click(`nav[aria-label="Rows"] a[rel="next"]`)
		b.holds(`location.search.includes("row=250")`)
	}
	b.open(path + "?tab=audit&event=1234#e-1234")
	b.holds(`document.querySelector("#e-1234:target") !== null`)
	b.clean()
}
