package webui_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
)

// TestChildrenUnfoldInTheTimeline unfolds a child run within its parent's timeline, and a step of
// it in turn.
func TestChildrenUnfoldInTheTimeline(t *testing.T) {
	w := newWorld(t)
	id := w.toured("web-1")
	b := newBrowser(t, w)
	b.open("/ui/runs/" + id.String())
	b.click(`[data-step="recalculate"] > summary`)
	b.sees(`[data-step="recalculate"] .inside`, "recalculate v1")
	b.sees(`[data-step="recalculate"] .inside`, "as of its event ")
	b.sees(`[data-step="recalculate"] .inside .pill`, "completed")
	// Not with the mouse: what unfolds moves rows away from under it.
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('.inside [data-step="row/1/double"] > summary').click(); undefined`))
	// The text is asked for as it is, not as it is drawn: what is out of sight is not drawn.
	b.holds(`document.querySelector('.inside [data-step="row/1/double"] .tl-open').textContent.includes("attempt.succeeded")`)
	b.holds(`(ids => new Set(ids).size === ids.length)([...document.querySelectorAll("[id]")].map(e => e.id))`)
	b.holds(`document.documentElement.scrollWidth <= innerWidth`)
	require.Empty(t, b.serious())
	b.shoot("child-inside-1280")
	b.screen(390, 860, "dark")
	b.holds(`document.documentElement.scrollWidth <= innerWidth`)
	b.shoot("child-inside-390-dark")
	b.clean()
}

// TestThePlanFitsZoomsAndMoves looks at a plan that is larger than the screen, with the mouse and
// without.
func TestThePlanFitsZoomsAndMoves(t *testing.T) {
	w := newWorld(t)
	id := w.toured("web-1")
	b := newBrowser(t, w)
	b.screen(1280, 700, "light")
	size := func(cmp, of string) string {
		return fmt.Sprintf(`document.querySelector(".graph").clientHeight %s %s`, cmp, of)
	}
	b.open("/ui/runs/" + id.String() + "?tab=plan")
	b.sees("#plan-now", "100%")
	b.holds(size(">", `document.querySelector(".canvas").clientHeight`))
	b.click(`[data-plan="fit"]`)
	b.holds(size("<=", `document.querySelector(".canvas").clientHeight`))
	b.holds(`document.querySelector("#plan-now").textContent !== "100%"`)
	fits := run(b, chromedp.Evaluate[string](`document.querySelector("#plan-now").textContent`))
	b.keys("+")
	b.keys("+")
	b.holds(fmt.Sprintf(`document.querySelector("#plan-now").textContent !== %q`, fits))
	b.keys("0")
	b.sees("#plan-now", fits)
	for range 8 {
		b.click(`[data-plan="1"]`)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { const c = document.querySelector(".canvas"), r = c.getBoundingClientRect(), o = { bubbles: true, cancelable: true, pointerType: "mouse", button: 0 };
		c.scrollTo(100, 100);
		c.dispatchEvent(new PointerEvent("pointerdown", { ...o, clientX: r.left + 200, clientY: r.top + 200 }));
		document.dispatchEvent(new PointerEvent("pointermove", { ...o, clientX: r.left + 160, clientY: r.top + 150 }));
		document.dispatchEvent(new PointerEvent("pointerup", o)); })(); undefined`))
	b.holds(`Math.abs(document.querySelector(".canvas").scrollTop - 150) < 2 && document.activeElement.matches(".canvas")`)
	b.keys(kb.ArrowDown)
	b.holds(`document.querySelector(".canvas").scrollTop > 152`)
	// News leaves the size alone.
	before := run(b, chromedp.Evaluate[string](`document.querySelector("#plan-now").textContent`))
	require.NoError(t, w.c.Signal(w.ctx, id, "delivered", receipt{ID: "x"}))
	b.sees("h1 .pill", "completed")
	b.sees("#plan-now", before)
	require.Empty(t, b.serious())
	b.shoot("plan-zoomed")
	b.do(chromedp.Evaluate[chromedp.Void](`location.href = document.querySelector(".graph a.child").getAttribute("href"); undefined`))
	b.holds(`location.search === "?tab=plan" && document.querySelector("h1").innerText.startsWith("recalculate")`)
	b.open("/ui/sagas/tour")
	b.do(chromedp.Evaluate[chromedp.Void](`location.href = document.querySelector(".graph a.child").getAttribute("href"); undefined`))
	b.arrives("/ui/sagas/recalculate?version=1")
	b.clean()
}

// TestFailuresAndPayloadsAreReadAndCopied reads a failure of many lines, and copies what began a
// step as commands of a shell.
func TestFailuresAndPayloadsAreReadAndCopied(t *testing.T) {
	w := newWorld(t)
	r, err := saga.Start(w.ctx, w.c, w.hostile, "it's <b>&\n\"$HOME\"", saga.Key("web-1"))
	require.NoError(t, err)
	w.until(r.ID, "run.stuck.v1")
	waiting := w.waiting("web-2")
	b := newBrowser(t, w)
	copied := `new Promise(done => { navigator.clipboard.writeText = async text => done(text); document.querySelector(%q).click(); })`
	copyOf := func(selector string) string {
		b.do(chromedp.WaitReady(chromedp.CSS(selector)))
		return run(b, chromedp.Evaluate[string](fmt.Sprintf(copied, selector), chromedp.EvalAwaitPromise))
	}
	b.open("/ui/runs/" + r.ID.String())
	b.click(`[data-step="explode"] > summary`)
	b.sees(`[data-step="explode"] .problem`, "failed with ")
	b.holds(`document.querySelector('[data-step="explode"] pre.clamp') !== null && getComputedStyle(document.querySelector("pre.clamp")).fontFamily.includes("mono")`)
	require.Contains(t, copyOf(`[data-step="explode"] .problem + .pay .copy-pre`), "failed with \"><script>")
	require.Equal(t, `"it's <b>&\n\"$HOME\""`, copyOf(`[data-step="explode"] .tl-open details.payload[open] .copy-pre`))
	cli := copyOf(`[data-step="explode"] [data-copy^="atone invoke"]`)
	if _, err := exec.LookPath("sh"); err == nil {
		out, err := exec.Command("sh", "-c", strings.Replace(cli, "atone", "printf '%s|'", 1)).Output()
		require.NoError(t, err)
		require.Equal(t, `invoke|explode|-d|"it's <b>&\n\"$HOME\""|`, string(out))
	}
	b.open("/ui/runs/" + r.ID.String() + "?tab=data")
	require.Contains(t, copyOf(`[data-copy^="curl"]`), `/sagas/hostile/runs?version=1`)
	b.sees("pre", `<b>&`)
	b.open("/ui/runs/" + waiting.String())
	b.click(`[data-step="approved"] > summary`)
	require.Equal(t, "atone signal "+waiting.String()+" approved", copyOf(`[data-step="approved"] [data-copy^="atone signal"]`))
	require.Empty(t, b.serious())
	b.clean()
}

// TestShiftChoosesTheRowsBetween chooses incidents as in any list.
func TestShiftChoosesTheRowsBetween(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.stuck(fmt.Sprintf("web-%d", i))
	}
	w.settled()
	b := newBrowser(t, w)
	b.open("/ui/incidents?each=1")
	b.holds(`document.querySelectorAll("tbody input[type=checkbox]").length >= 5`)
	click := func(n int, shift bool) {
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelectorAll("tbody input[type=checkbox]")[%d].dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: %v })); undefined`, n, shift)))
	}
	picked := func(want string) {
		b.holds(fmt.Sprintf(`[...document.querySelectorAll("tbody input[type=checkbox]")].map(c => c.checked ? "x" : "-").join("") === %q`, want))
	}
	click(3, false)
	click(1, true)
	picked("-xxx-")
	b.sees("#picked", "3 chosen")
	click(1, false)
	click(4, true)
	picked("-xxxx")
	b.clean()
}
