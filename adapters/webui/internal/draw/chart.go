package draw

import (
	"math"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/projections/stats"
)

// Segment is a part of a horizontal bar.
type Segment struct{ X, W, Class, Title string }

// Column is one bar of a chart, in percent of its height.
type Column struct {
	X, W  string
	Parts []part
	Title string
}

type part struct{ Y, H, Class string }

// OutcomeBar shows how a saga's runs ended, or got stuck.
func OutcomeBar(c stats.Counts) []Segment {
	stuck := max(0, c.StuckMore)
	all := c.Succeeded + c.Failed + c.Cancelled + c.Abandoned + stuck
	if all == 0 {
		return nil
	}
	var out []Segment
	x := 0.0
	for _, s := range [...]struct {
		n            int64
		class, title string
	}{{c.Succeeded, "c-ok", "completed"}, {c.Failed, "c-undo", "compensated"}, {c.Cancelled, "c-cancel", "cancelled"}, {c.Abandoned, "c-fail", "abandoned"}, {stuck, "c-stuck", "stuck"}} {
		if s.n == 0 {
			continue
		}
		w := float64(s.n) / float64(all)
		out = append(out, Segment{X: Percent(x), W: Percent(w), Class: s.class, Title: format.Number(s.n) + " " + s.title})
		x += w
	}
	return out
}

// Latencies draws latencies, one column for each bucket between the first and the last. If there
// are many buckets, it merges neighbours.
func Latencies(l *stats.Histogram) []Column {
	b, in := l.Buckets(), l.Counts()
	if len(b) == 0 {
		return nil
	}
	const most = 24
	first, span := b[0], b[len(b)-1]-b[0]+1
	step := (span + most - 1) / most
	n := (span + step - 1) / step
	counts := make([]int64, n)
	var top int64
	for _, k := range b {
		i := (k - first) / step
		counts[i] += in[k]
		top = max(top, counts[i])
	}
	out := make([]Column, 0, n)
	for i, c := range counts {
		if c == 0 {
			continue
		}
		share := math.Max(float64(c)/float64(top), 0.06)
		out = append(out, Column{X: Percent(float64(i) / most), W: Percent(0.8 / most), Parts: []part{{Y: Percent(1 - share), H: Percent(share), Class: "c-latency"}},
			Title: "up to " + format.Took(l.Bound(first+(i+1)*step-1)) + ": " + format.Number(c)})
	}
	return out
}
