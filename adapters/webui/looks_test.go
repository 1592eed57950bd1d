package webui_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// wcag lists what falls short of WCAG 2.2 AA: text whose contrast is too low (1.4.3), controls
// without a name (4.1.2), and, on a phone, those too small for a finger (2.5.8; those in a line of
// text may be).
const wcag = `(() => {
  const found = [];
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (css, under) => {
    canvas.fillStyle = under ? "rgb(" + under.join() + ")" : "#fff";
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const behind = (el) => {
    const up = el.parentElement ? behind(el.parentElement) : null;
    return rgba(getComputedStyle(el).backgroundColor, up);
  };
  const light = (c) => c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (texts.nextNode()) {
    const el = texts.currentNode.parentElement;
    if (seen.has(el) || !texts.currentNode.textContent.trim() || !el.checkVisibility({ visibilityProperty: true }) || el.closest("svg, :disabled, .skip, option, script")) continue;
    seen.add(el);
    const style = getComputedStyle(el), size = parseFloat(style.fontSize);
    const large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    const under = behind(el), r = ratio(rgba(style.color, under), under);
    if (r < (large ? 3 : 4.5)) found.push("contrast " + r.toFixed(2) + ": " + el.tagName + "." + el.className + " " + el.textContent.trim().slice(0, 40));
  }
  for (const el of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!el.checkVisibility({ visibilityProperty: true }) || el.matches(".skip") || el.closest("svg")) continue;
    const name = el.getAttribute("aria-label") || el.textContent.trim() || el.labels?.[0]?.innerText || el.title;
    if (!name) found.push("no name: " + el.outerHTML.slice(0, 100));
    const box = el.getBoundingClientRect();
    const inText = getComputedStyle(el).display === "inline" || el.matches("summary");
    if (innerWidth < 500 && !inText && (box.width < 24 || box.height < 24)) found.push("small " + box.width.toFixed() + "x" + box.height.toFixed() + ": " + el.outerHTML.slice(0, 100));
  }
  return found;
})()`

// TestPagesInEveryLight opens every page at both widths and in both themes: nothing complains,
// nothing is wider than the screen. The pictures are for people.
func TestPagesInEveryLight(t *testing.T) {
	pace := time.Millisecond
	// Pictures of realistic runs take longer.
	if ms, err := strconv.Atoi(os.Getenv("ATONE_SCREENSHOT_PACE_MS")); err == nil {
		pace = time.Duration(ms) * time.Millisecond
	}
	w := newWorldAt(t, pace)
	for i := range 14 {
		_, err := saga.Start(w.ctx, w.c, w.orders, sample(fmt.Sprintf("web-%d", 1001+i), 80+40*i), saga.Key(fmt.Sprintf("web-%d", 1001+i)), saga.Labels(map[string]string{"tenant": "acme"}))
		require.NoError(t, err)
	}
	waiting := w.waiting("web-2001")
	compensated := w.compensated("web-2002")
	stuck := w.stuck("web-2003")
	w.stuck("web-2004")
	done := w.completed("web-2005")
	tour := w.toured("web-2006")
	_, err := w.c.EmitEvent(w.ctx, "orders-2005", "order.placed", []byte(`{"order":"web-2005","total":120}`), saga.EmitOptions{Correlation: "web-2005"})
	require.NoError(t, err)
	w.settled()
	group, incident := w.deskOf(stuck)
	b := newBrowser(t, w)
	var short []string
	of := func(id domain.RunID) string { return "/ui/runs/" + id.String() }
	look := func(name, path string) {
		for _, width := range []int64{1280, 390} {
			for _, theme := range []string{"light", "dark"} {
				b.screen(width, 860, theme)
				b.open(path)
				b.holds(`document.documentElement.scrollWidth <= innerWidth`)
				// Labels of an axis are whole.
				b.holds(`[...document.querySelectorAll(".tl-axis > svg > text, .chart-x > text")].every(t => { const [a, b] = [t.getBoundingClientRect(), t.parentElement.getBoundingClientRect()]; return a.width === 0 || a.right <= b.right + 1 && a.left >= b.left - 1 })`)
				found := run(b, chromedp.Evaluate[[]string](wcag))
				found = append(found, b.serious()...)
				for _, f := range found {
					short = append(short, fmt.Sprintf("%s at %d px, %s: %s", name, width, theme, f))
				}
				b.shoot(fmt.Sprintf("%s-%d-%s", name, width, theme))
			}
		}
	}
	for _, page := range []struct{ name, path string }{
		{"runs", "/ui/runs"}, {"run-waiting", of(waiting)}, {"run-stuck", of(stuck)}, {"run-completed", of(done)}, {"run-compensated", of(compensated)},
		{"plan", of(stuck) + "?tab=plan"}, {"tour", of(tour)}, {"tour-plan", of(tour) + "?tab=plan"}, {"tour-undo", of(tour) + "?tab=undo"}, {"audit", of(compensated) + "?tab=audit"}, {"data", of(done) + "?tab=data"}, {"undo", of(waiting) + "?tab=undo"}, {"outlook", of(waiting) + "?tab=outlook"},
		{"past", of(stuck) + "?at=12"}, {"past-plan", of(stuck) + "?tab=plan&at=12"}, {"trail", "/ui/audit"}, {"trail-empty", "/ui/audit?q=nothing"}, {"lever", of(waiting) + "/lever/cancel"}, {"incidents", "/ui/incidents"}, {"incidents-each", "/ui/incidents?each=1"}, {"incidents-group", "/ui/incidents?group=" + group}, {"incidents-resolved", "/ui/incidents?state=resolved"}, {"incidents-snoozed", "/ui/incidents?state=snoozed"}, {"incident", "/ui/incidents/" + incident}, {"definitions", "/ui/sagas"}, {"start", "/ui/start"}, {"start-form", "/ui/sagas/order/start"}, {"definition", "/ui/sagas/order"},
		{"stats", "/ui/stats?range=1h"}, {"events", "/ui/events"}, {"missing", "/ui/nothing"},
	} {
		look(page.name, page.path)
	}
	b.w = newWorld(t, guarded)
	look("login", "/ui/login")
	require.Empty(t, short)
	b.clean("the server responded with a status of 404") // the missing page
}

// TestAPlanIsShownFromItsMiddle where it is wider than its frame: now, and as it was.
func TestAPlanIsShownFromItsMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run := "/ui/runs/" + w.stuck("s-1").String()
	b := newBrowser(t, w)
	for _, width := range []int64{390, 1280} {
		b.screen(width, 860, "light")
		for _, path := range []string{run + "?tab=plan&at=12", run + "?tab=plan", "/ui/sagas/order"} {
			b.open(path)
			b.holds(`(() => {
				const box = document.querySelector(".canvas").getBoundingClientRect(), plan = document.querySelector(".graph").getBoundingClientRect();
				return Math.abs(box.left + box.right - plan.left - plan.right) <= 4;
			})()`)
			b.shoot(fmt.Sprintf("plan-middle-%d", width))
		}
	}
	b.clean()
}
