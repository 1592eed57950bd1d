package webui

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/draw"
	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/projections/stats"
)

// statsPage shows how runs and actions fared.
type statsPage struct {
	Range, Saga string
	Ranges      []tab
	Sagas       []sagaStat
	Actions     []actionStat
	Names       []string
	Total       stats.Counts
	// Now has the counts over all time.
	Now    stats.Counts
	Charts []draw.Chart
	// Waiting counts the runs that wait now, as the list of runs does; -1 where that is not known.
	Waiting int
	// Where is the search for the runs of the saga.
	Where string
	// Rate is how many runs ended, in words.
	Rate string
	// Empty stands in the place of the tables where there is nothing to count.
	Empty *empty.Page
}

var statRanges = []tab{{"1h", "last hour"}, {"24h", "last day"}, {"7d", "7 days"}, {"", "all time"}}

// statSpans are the ranges and the widths of their columns.
var statSpans = map[string]struct{ all, column time.Duration }{
	"1h": {time.Hour, time.Minute}, "24h": {24 * time.Hour, time.Hour}, "7d": {7 * 24 * time.Hour, 4 * time.Hour},
}

type sagaStat struct {
	stats.Row
	P50, P95, P99 time.Duration
	Bars          []draw.Segment
	Running       int64
}

type actionStat struct {
	stats.Row
	P50, P95, P99 time.Duration
	Histogram     []draw.Column
	Fail, Retry   draw.Segment
}

// stats shows the statistics of a range of time.
func (h *handler) stats(w http.ResponseWriter, r *http.Request, who Person) error {
	q := r.URL.Query()
	v := h.view(r, who, "stats", "Statistics")
	d := &statsPage{Range: "24h", Saga: q.Get("saga"), Ranges: statRanges, Names: h.sagaNames(who)}
	if q.Has("range") {
		d.Range = q.Get("range")
	}
	f := stats.Filter{Saga: d.Saga}
	if d.Saga != "" {
		d.Where = search.Condition("saga", d.Saga)
	}
	everything, err := h.cfg.Views.Stats(r.Context(), f)
	if err = built(v, err); err != nil {
		return err
	}
	for i := range everything {
		if s := &everything[i]; s.Action == "" && s.Direction == "" && who.sees(s.Saga) {
			d.Now.Add(s.Counts)
		}
	}
	d.Waiting = h.waiting(r, who, d.Saga)
	span := statSpans[d.Range]
	if span.all > 0 {
		f.Since = v.Now.Add(-span.all)
	}
	points, err := h.cfg.Views.StatsOver(r.Context(), f)
	if err = built(v, err); err != nil {
		return err
	}
	points = slices.DeleteFunc(points, func(p stats.Point) bool { return !who.sees(p.Saga) })
	d.sum(points)
	if span.all > 0 {
		d.Charts = draw.Over(points, d.Now, f.Since, v.Now, span.column, d.Where)
		d.Rate = format.Rate(d.Total.Succeeded+d.Total.Failed+d.Total.Cancelled+d.Total.Abandoned, span.all)
	}
	v.Refresh *= 5 // statistics move slowly
	h.warn(r, v)
	if len(d.Sagas) == 0 {
		d.Empty = h.program(r, who).Stats(d.Saga, d.Range, d.Now.Started > 0, v.Behind)
	}
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "stats", v)
	return nil
}

// waiting counts the runs that wait, of the saga or of all that the person sees.
func (h *handler) waiting(r *http.Request, who Person, saga string) int {
	f := runs.Filter{}
	if saga != "" {
		f.Sagas = []string{saga}
	}
	if !who.narrow(&f.Sagas) {
		return 0
	}
	counts, err := h.cfg.Views.RunCounts(r.Context(), f)
	if err != nil {
		return -1 // the other figures stand for themselves
	}
	return counts[runs.StateWaiting]
}

// sum adds the points up, by saga and by action.
func (d *statsPage) sum(points []stats.Point) {
	type key struct{ saga, action, direction string }
	at := map[key]*stats.Row{}
	var order []key
	for i := range points {
		p := &points[i]
		k := key{p.Saga, p.Action, string(p.Direction)}
		s := at[k]
		if s == nil {
			s = &stats.Row{Saga: p.Saga, Action: p.Action, Direction: p.Direction}
			at[k] = s
			order = append(order, k)
		}
		s.Counts.Add(p.Counts)
		s.Latency.Merge(p.Latency)
	}
	for _, k := range order {
		s := *at[k]
		p50, p95, p99 := s.Latency.Quantile(0.5), s.Latency.Quantile(0.95), s.Latency.Quantile(0.99)
		if k.action == "" && k.direction == "" {
			d.Total.Add(s.Counts)
			d.Sagas = append(d.Sagas, sagaStat{Row: s, P50: p50, P95: p95, P99: p99, Bars: draw.OutcomeBar(s.Counts)})
			continue
		}
		if k.action == "" {
			continue // incidents outside of any action
		}
		d.Actions = append(d.Actions, actionStat{Row: s, P50: p50, P95: p95, P99: p99, Histogram: draw.Latencies(&s.Latency),
			Fail: draw.Segment{W: draw.Percent(s.FailureRate())}, Retry: draw.Segment{W: draw.Percent(s.RetryRate())}})
	}
	slices.SortStableFunc(d.Sagas, func(a, b sagaStat) int { return cmp.Compare(b.Started, a.Started) })
	slices.SortStableFunc(d.Actions, func(a, b actionStat) int {
		if c := cmp.Compare(b.FailureRate(), a.FailureRate()); c != 0 {
			return c
		}
		return cmp.Compare(b.Started, a.Started)
	})
}
