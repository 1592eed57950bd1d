package draw

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

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

// Columns is a chart over time.
type Columns struct {
	Columns  []Column
	Max      int64
	From, To time.Time
	Width    time.Duration
}

// OutcomeBar shows how a saga's runs ended.
func OutcomeBar(c stats.Counts) []Segment {
	all := c.Succeeded + c.Failed + c.Cancelled + c.Abandoned
	if all == 0 {
		return nil
	}
	var out []Segment
	x := 0.0
	for _, s := range [...]struct {
		n            int64
		class, title string
	}{{c.Succeeded, "c-ok", "completed"}, {c.Failed, "c-undo", "compensated"}, {c.Cancelled, "c-cancel", "cancelled"}, {c.Abandoned, "c-fail", "abandoned"}} {
		if s.n == 0 {
			continue
		}
		w := float64(s.n) / float64(all)
		out = append(out, Segment{X: Percent(x), W: Percent(w), Class: s.class, Title: format.Number(s.n) + " " + s.title})
		x += w
	}
	return out
}

// Latencies draws latencies, one column for each bucket between the first and the last; with many
// buckets neighbours are merged.
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

// Ends draws the ends of runs over time, stacked.
func Ends(points []stats.Point, from, to time.Time) *Columns {
	c := &Columns{From: from, To: to, Width: time.Hour}
	sums := map[int64]*stats.Counts{}
	for i := range points {
		p := &points[i]
		if p.Action != "" || p.Width == 0 {
			continue
		}
		c.Width = p.Width
		k := p.From.Unix()
		if sums[k] == nil {
			sums[k] = &stats.Counts{}
		}
		sums[k].Add(p.Counts)
		s := sums[k]
		c.Max = max(c.Max, s.Succeeded+s.Failed+s.Cancelled+s.Abandoned)
	}
	if c.Max == 0 {
		return c
	}
	start := from.Truncate(c.Width)
	n := float64(to.Sub(start)/c.Width + 1)
	for _, k := range slices.Sorted(maps.Keys(sums)) {
		s := sums[k]
		i := float64(time.Unix(k, 0).Sub(start) / c.Width)
		if i < 0 {
			continue
		}
		col := Column{X: Percent((i + 0.1) / n), W: Percent(0.8 / n)}
		y := 1.0
		for _, p := range [...]struct {
			n     int64
			class string
		}{{s.Succeeded, "c-ok"}, {s.Failed, "c-undo"}, {s.Cancelled, "c-cancel"}, {s.Abandoned, "c-fail"}} {
			if p.n > 0 {
				share := float64(p.n) / float64(c.Max)
				y -= share
				col.Parts = append(col.Parts, part{Y: Percent(y), H: Percent(share), Class: p.class})
			}
		}
		col.Title = time.Unix(k, 0).UTC().Format("15:04") + " UTC: " + strconv.FormatInt(s.Succeeded, 10) + " completed, " + strconv.FormatInt(s.Failed, 10) + " compensated, " +
			strconv.FormatInt(s.Cancelled, 10) + " cancelled, " + strconv.FormatInt(s.Abandoned, 10) + " abandoned"
		c.Columns = append(c.Columns, col)
	}
	return c
}
