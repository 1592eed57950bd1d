package webui_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser is a tab of a real, headless Chromium.
type browser struct {
	t   *testing.T
	w   *world
	tab context.Context // chromedp keeps the browser and the tab in it

	mu       sync.Mutex
	problems []string // what the console and the network complained of
}

// newBrowser opens a tab. Without Chromium the test is skipped, and says so.
func newBrowser(t *testing.T, w *world) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("NOT TESTED: no Chromium here. Install it (apt-get install chromium) to test the page in a real browser.")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 860))
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	tab, cancel := chromedp.NewContext(alloc)
	b := &browser{t: t, w: w, tab: tab}
	messages := chromedp.Console(tab)
	b.do(chromedp.Navigate("about:blank"))
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.listen(messages)
	}()
	t.Cleanup(func() {
		bounded, done := context.WithTimeout(tab, 20*time.Second)
		_ = chromedp.Cancel(bounded) // waits for the browser to end
		done()
		cancel()
		cancelAlloc()
		<-read
	})
	return b
}

// listen collects console errors, exceptions, failed loads and violations of the policy.
func (b *browser) listen(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range messages {
		if err != nil {
			return
		}
		switch m.Type {
		case chromedp.ConsoleError, chromedp.ConsoleWarning, chromedp.ConsoleException, "assert":
			b.mu.Lock()
			b.problems = append(b.problems, fmt.Sprintf("%s: %s (%s)", m.Type, m.Text, m.URL))
			b.mu.Unlock()
		}
	}
}

// clean requires that nothing complained so far, save what says one of the allowed texts.
func (b *browser) clean(allowed ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(b.problems), func(p string) bool {
		return slices.ContainsFunc(allowed, func(a string) bool { return strings.Contains(p, a) })
	})
	require.Empty(b.t, left)
}

// do runs actions, each of which has a minute.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, a := range actions {
		run(b, a)
	}
}

// run runs an action and returns its value.
func run[T any](b *browser, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx := b.tab
	// The first action starts the browser, which would end with the timeout.
	if chromedp.FromContext(ctx).Target != nil {
		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		ctx = bounded
	}
	v, err := chromedp.Run(ctx, a)
	require.NoError(b.t, err)
	return v
}

// open loads a page.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.w.url+path), chromedp.WaitReady(chromedp.CSS("main")))
}

// arrives waits until a page is there, script and all.
func (b *browser) arrives(path string) {
	b.t.Helper()
	b.holds(fmt.Sprintf(`location.pathname + location.search === %q && document.readyState === "complete"`, path))
}

// sees waits until an element that the selector finds has the text.
func (b *browser) sees(selector, text string) {
	b.t.Helper()
	b.holds(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))`, selector, text))
}

// holds waits until a JavaScript expression is true, over navigations.
func (b *browser) holds(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, time.Minute)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && yes {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			text := run(b, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 1500)`))
			require.FailNow(b.t, "does not hold", "%s\non %s", expression, text)
		}
	}
}

func (b *browser) click(selector string) {
	b.t.Helper()
	for range 5 {
		b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.ScrollIntoView(chromedp.CSS(selector)))
		// What was out of sight is drawn, and can be hit, only in the frame after it came into
		// sight.
		run(b, chromedp.Evaluate[bool](fmt.Sprintf(`new Promise(done => {
			window.missed = true;
			document.querySelector(%q).addEventListener("click", () => { window.missed = false; }, { capture: true, once: true });
			requestAnimationFrame(() => requestAnimationFrame(() => done(true)));
		})`, selector), chromedp.EvalAwaitPromise))
		b.do(chromedp.Click(chromedp.CSS(selector)))
		// News may have moved the page under the pointer. On another page nothing was missed.
		bounded, cancel := context.WithTimeout(b.tab, time.Minute)
		missed, err := chromedp.Run(bounded, chromedp.Evaluate[bool](`window.missed === true`))
		cancel()
		if err != nil || !missed {
			return
		}
	}
	require.FailNow(b.t, "can't be hit", selector)
}

func (b *browser) typeInto(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

func (b *browser) keys(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// screen sets the size and the theme that the system asks for.
func (b *browser) screen(width, height int64, theme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
	_, err := chromedp.Call(b.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
	require.NoError(b.t, err)
}

// shoot saves a picture of the page to ATONE_SCREENSHOTS, or, without it, to a directory that ends
// with the test.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("ATONE_SCREENSHOTS")
	if dir == "" {
		dir = b.t.TempDir()
	}
	require.NoError(b.t, os.MkdirAll(dir, 0o755))
	png := run(b, chromedp.CaptureScreenshot())
	require.NotEmpty(b.t, png)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}
