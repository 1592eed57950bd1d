package webui_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestARowOpensATabLikeALink clicks a row with Ctrl and with the middle button.
func TestARowOpensATabLikeALink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.completed("tab-1")
	w.settled()
	b := newBrowser(t, w)
	b.open("/ui/runs")
	b.sees(".runs tbody tr", "order")
	opened := run(b, chromedp.Evaluate[[]string](`(() => {
		const opened = [];
		window.open = (href, target) => opened.push(href + " " + target);
		const cell = document.querySelector(".runs tbody tr .c-took");
		cell.dispatchEvent(new MouseEvent("click", {bubbles: true, ctrlKey: true}));
		cell.dispatchEvent(new MouseEvent("click", {bubbles: true, metaKey: true}));
		cell.dispatchEvent(new MouseEvent("auxclick", {bubbles: true, button: 1}));
		cell.dispatchEvent(new MouseEvent("auxclick", {bubbles: true, button: 2}));
		return opened;
	})()`))
	path := "/ui/runs/" + id.String()
	require.Equal(t, []string{path + " _blank", path + " _blank", path + " _blank"}, opened)
	b.arrives("/ui/runs")
	b.clean()
}
