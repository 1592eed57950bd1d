package explore

import (
	"context"
	"encoding/base64"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestThePageFitsAPhone opens the report in a browser at the widths of a phone and of a desk: only
// the table scrolls sideways, and texts of authors are shown as texts.
func TestThePageFitsAPhone(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("NOT TESTED: no Chromium here. Install it (apt-get install chromium) to test the page in a real browser.")
	}
	m := newMatrix()
	for _, row := range []string{"a-very-long-name-of-an-action-that-nobody-would-choose do", "pay undo: POST /<b>charges</b>"} {
		m.note(passed{action: row, others: []Answer{Refused, FailedDone, TimedOutDone, DiedRecorded, Twice, Late, Stray}, given: Refused}, 1, true)
	}
	r := &Result{Schedules: []int{1, 2}, Of: []int{2}, Matrix: m, Waiting: []string{"waits for the signal approve"},
		Broken: &Broken{Schedule: Schedule{{"pay do #1", Refused}}, Violation: Violation{"nothing is left", `<script>alert(1)</script>`}, Story: "0.000s  a line that is long enough to be broken on a phone, and <b>hostile</b>\n"}}
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)...)
	defer cancelAlloc()
	tab, cancel := chromedp.NewContext(alloc)
	defer cancel()
	url := "data:text/html;base64," + base64.StdEncoding.EncodeToString(r.Page("TestOfAnAuthor"))
	for _, width := range []int64{390, 1280} {
		_, err := chromedp.Run(tab, chromedp.EmulateViewport(width, 800))
		require.NoError(t, err)
		_, err = chromedp.Run(tab, chromedp.Navigate(url))
		require.NoError(t, err)
		wide, err := chromedp.Run(tab, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`))
		require.NoError(t, err)
		text, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.body.innerText`))
		require.NoError(t, err)
		require.False(t, wide, "at %d px", width)
		for _, words := range []string{"✗ Broken: nothing is left", "<script>alert(1)</script>", "<b>hostile</b>", "✗ BROKEN", "not tried", "/<b>charges</b>"} {
			require.Contains(t, text, words)
		}
	}
}
