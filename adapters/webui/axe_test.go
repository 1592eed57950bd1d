package webui_test

import (
	_ "embed"
	"fmt"

	"github.com/chromedp/chromedp"
)

// axe is axe-core 4.14.1, https://github.com/dequelabs/axe-core, under the Mozilla Public License 2.0.
//
//go:embed testdata/axe-4.14.1.min.js
var axe string

// serious has axe look at the page that is open, and returns what it finds serious or critical.
func (b *browser) serious() []string {
	b.t.Helper()
	run(b, chromedp.Evaluate[bool](axe+";true"))
	return run(b, chromedp.Evaluate[[]string](fmt.Sprintf(`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.flatMap(v => v.nodes.map(n => %q + v.id + ": " + n.html.slice(0, 140))))`, "axe "), chromedp.EvalAwaitPromise))
}
