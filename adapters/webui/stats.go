package webui

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/atonehq/atone/projections"
)

// statsPage shows how runs and actions fared.
type statsPage struct {
	Range, Saga string
	Ranges      []tab
	Sagas       []sagaStat
	Actions     []actionStat
	Names       []string
	Total       projections.Counts
	Chart       *columns
}

var statRanges = []tab{{"1h", "last hour"}, {"24h", "last day"}, {"7d", "7 days"}, {"", "all time"}}

type sagaStat struct {
	projections.Stat
	P50, P95, P99 time.Duration
	Bars          []segment
	Running       int64
}

type actionStat struct {
	projections.Stat
	P50, P95, P99 time.Duration
	Histogram     []column
	Fail, Retry   segment
}

// segment is a part of a horizontal bar.
type segment struct{ X, W, Class, Title string }

// column is one bar of a chart, in percent of its height.
type column struct {
	X, W  string
	Parts []part
	Title string
}

type part struct{ Y, H, Class string }

// columns is a chart over time.
type columns struct {
	Columns  []column
	Max      int64
	From, To time.Time
	Width    time.Duration
}

// stats shows the statistics of a range of time.
func (h *handler) stats(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	v := h.view(r, who, "stats", "Statistics")
	d := &statsPage{Range: "24h", Saga: q.Get("saga"), Ranges: statRanges, Names: h.sagaNames(who)}
	if q.Has("range") {
		d.Range = q.Get("range")
	}
	f := projections.StatsFilter{Saga: d.Saga}
	span := map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour}[d.Range]
	if span > 0 {
		f.Since = v.Now.Add(-span)
	}
	points, err := h.cfg.Views.StatsOver(r.Context(), f)
	if err = built(v, err); err != nil {
		return err
	}
	points = slices.DeleteFunc(points, func(p projections.StatPoint) bool { return !who.sees(p.Saga) })
	d.sum(points)
	if span > 0 {
		d.Chart = chart(points, f.Since, v.Now)
	}
	v.Refresh *= 5 // statistics move slowly
	h.warn(r, v)
	v.D = d
	h.render(w, r, http.StatusOK, "stats", v)
	return nil
}

// sum adds the points up, by saga and by action.
func (d *statsPage) sum(points []projections.StatPoint) {
	type key struct{ saga, action, direction string }
	at := map[key]*projections.Stat{}
	var order []key
	for i := range points {
		p := &points[i]
		k := key{p.Saga, p.Action, string(p.Direction)}
		s := at[k]
		if s == nil {
			s = &projections.Stat{Saga: p.Saga, Action: p.Action, Direction: p.Direction}
			at[k] = s
			order = append(order, k)
		}
		addCounts(&s.Counts, p.Counts)
		s.Latency.Merge(p.Latency)
	}
	for _, k := range order {
		s := *at[k]
		p50, p95, p99 := s.Latency.Quantile(0.5), s.Latency.Quantile(0.95), s.Latency.Quantile(0.99)
		if k.action == "" && k.direction == "" {
			addCounts(&d.Total, s.Counts)
			d.Sagas = append(d.Sagas, sagaStat{Stat: s, P50: p50, P95: p95, P99: p99, Bars: outcomeBar(s.Counts)})
			continue
		}
		if k.action == "" {
			continue // incidents outside of any action
		}
		d.Actions = append(d.Actions, actionStat{Stat: s, P50: p50, P95: p95, P99: p99, Histogram: histogram(&s.Latency),
			Fail: segment{W: percent(s.FailureRate())}, Retry: segment{W: percent(s.RetryRate())}})
	}
	slices.SortStableFunc(d.Sagas, func(a, b sagaStat) int { return cmp.Compare(b.Started, a.Started) })
	slices.SortStableFunc(d.Actions, func(a, b actionStat) int {
		if c := cmp.Compare(b.FailureRate(), a.FailureRate()); c != 0 {
			return c
		}
		return cmp.Compare(b.Started, a.Started)
	})
}

func addCounts(c *projections.Counts, o projections.Counts) {
	c.Started += o.Started
	c.Succeeded += o.Succeeded
	c.Failed += o.Failed
	c.Retried += o.Retried
	c.TimedOut += o.TimedOut
	c.Lost += o.Lost
	c.Cancelled += o.Cancelled
	c.Abandoned += o.Abandoned
	c.Stuck += o.Stuck
}

// outcomeBar shows how a saga's runs ended.
func outcomeBar(c projections.Counts) []segment {
	all := c.Succeeded + c.Failed + c.Cancelled + c.Abandoned
	if all == 0 {
		return nil
	}
	var out []segment
	x := 0.0
	for _, s := range [...]struct {
		n            int64
		class, title string
	}{{c.Succeeded, "c-ok", "completed"}, {c.Failed, "c-undo", "compensated"}, {c.Cancelled, "c-cancel", "cancelled"}, {c.Abandoned, "c-fail", "abandoned"}} {
		if s.n == 0 {
			continue
		}
		w := float64(s.n) / float64(all)
		out = append(out, segment{X: percent(x), W: percent(w), Class: s.class, Title: grouped(s.n) + " " + s.title})
		x += w
	}
	return out
}

// histogram draws latencies, one column for each bucket between the first and the last; with many buckets
// neighbours are merged.
func histogram(l *projections.Histogram) []column {
	b := l.Buckets()
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
		counts[i] += l.Counts[k]
		top = max(top, counts[i])
	}
	out := make([]column, 0, n)
	for i, c := range counts {
		if c == 0 {
			continue
		}
		share := math.Max(float64(c)/float64(top), 0.06)
		out = append(out, column{X: percent(float64(i) / most), W: percent(0.8 / most), Parts: []part{{Y: percent(1 - share), H: percent(share), Class: "c-latency"}},
			Title: "up to " + took(l.Bound(first+(i+1)*step-1)) + ": " + grouped(c)})
	}
	return out
}

// chart draws the ends of runs over time, stacked.
func chart(points []projections.StatPoint, from, to time.Time) *columns {
	c := &columns{From: from, To: to, Width: time.Hour}
	sums := map[int64]*projections.Counts{}
	for i := range points {
		p := &points[i]
		if p.Action != "" || p.Width == 0 {
			continue
		}
		c.Width = p.Width
		k := p.From.Unix()
		if sums[k] == nil {
			sums[k] = &projections.Counts{}
		}
		addCounts(sums[k], p.Counts)
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
		col := column{X: percent((i + 0.1) / n), W: percent(0.8 / n)}
		y := 1.0
		for _, p := range [...]struct {
			n     int64
			class string
		}{{s.Succeeded, "c-ok"}, {s.Failed, "c-undo"}, {s.Cancelled, "c-cancel"}, {s.Abandoned, "c-fail"}} {
			if p.n > 0 {
				share := float64(p.n) / float64(c.Max)
				y -= share
				col.Parts = append(col.Parts, part{Y: percent(y), H: percent(share), Class: p.class})
			}
		}
		col.Title = time.Unix(k, 0).UTC().Format("15:04") + " UTC: " + strconv.FormatInt(s.Succeeded, 10) + " completed, " + strconv.FormatInt(s.Failed, 10) + " compensated, " +
			strconv.FormatInt(s.Cancelled, 10) + " cancelled, " + strconv.FormatInt(s.Abandoned, 10) + " abandoned"
		c.Columns = append(c.Columns, col)
	}
	return c
}
