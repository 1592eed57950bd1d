package draw

import (
	"fmt"
	"html/template"
	"strings"
)

// The size of a spark, in the units of its drawing.
const (
	sparkStep   = 3
	sparkHeight = 24
)

// Spark draws counts over time as small bars, the latest at the right. What they count is said in
// words, for those who do not see it.
func Spark(counts []int, what string) template.HTML {
	top, sum := 0, 0
	for _, n := range counts {
		top, sum = max(top, n), sum+n
	}
	var path strings.Builder
	for i, n := range counts {
		if n > 0 {
			// One arrival is seen beside a thousand.
			fmt.Fprintf(&path, "M%.1f %dv-%.1f", (float64(i)+0.5)*sparkStep, sparkHeight, max(2, float64(n)*(sparkHeight-1)/float64(top)))
		}
	}
	says := template.HTMLEscapeString(fmt.Sprintf("%d %s, at most %d at once", sum, what, top))
	svg := fmt.Sprintf(`<svg class="spark" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s"><title>%s</title><path d="%s"/></svg>`,
		len(counts)*sparkStep, sparkHeight, says, says, path.String())
	return template.HTML(svg) //nolint:gosec // numbers, and an escaped text
}
