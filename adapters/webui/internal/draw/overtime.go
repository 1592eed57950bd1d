package draw

import (
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/projections/stats"
)

// Chart is a figure over time: one column for each stretch of time.
type Chart struct {
	Title string
	Key   []Hue
	// Path is the list that a column leads to.
	Path    string
	Columns []Moment
	X, Y    []Label
	// By is how wide a column is, in words.
	By string
}

// Hue tells what a colour of a chart stands for.
type Hue struct{ Class, Name string }

// Moment is a column of a chart. Text says its figures, and Search finds its runs.
type Moment struct {
	X, W, AllX, AllW string
	Parts            []part
	From, To         time.Time
	Text, Search     string
}

// Label stands at an axis: at a share of its length from the left, or from the top.
type Label struct {
	At   string
	Text string
	// Time is what a label of the time axis tells. Day means that only its day is shown, and Odd
	// ones are left out where there is little room.
	Time time.Time
	// End means that it stands before its mark, at the end of the axis.
	Day, Odd, End bool
}

// stretch is what happened within a column's time.
type stretch struct {
	stats.Counts
	latency        stats.Histogram
	stuck, waiting int64 // at its end
}

// Over draws statistics of runs over time. now has the counts over all time, conditions narrow the
// search for a column's runs.
func Over(points []stats.Point, now stats.Counts, from, to time.Time, width time.Duration, conditions string) []Chart {
	for i := range points {
		width = max(width, points[i].Width)
	}
	from = from.Truncate(width)
	all := stretches(points, now, from, to, width)
	c := &canvas{all: all, from: from, width: width, where: conditions}
	return []Chart{c.ends(), c.failures(), c.durations(), c.levels()}
}

// stretches sums the points up. What is stuck and waits at the end of each stretch is what does so
// now, less the changes after it.
func stretches(points []stats.Point, now stats.Counts, from, to time.Time, width time.Duration) []stretch {
	all := make([]stretch, int(to.Sub(from)/width)+1)
	for i := range points {
		p := &points[i]
		if n := int(p.From.Sub(from) / width); p.Action == "" && p.Width > 0 && !p.From.Before(from) && n < len(all) {
			all[n].Add(p.Counts)
			all[n].latency.Merge(p.Latency)
		}
	}
	stuck, waiting := now.StuckMore, now.WaitingMore
	for i := len(all) - 1; i >= 0; i-- {
		all[i].stuck, all[i].waiting = max(0, stuck), max(0, waiting)
		stuck -= all[i].StuckMore
		waiting -= all[i].WaitingMore
	}
	return all
}

// canvas draws the charts of some stretches.
type canvas struct {
	all   []stretch
	from  time.Time
	width time.Duration
	where string
}

// value is a part of a column, before it is known how high the chart is.
type value struct {
	of    float64
	class string
}

// chart draws columns whose parts stand on one another or, if over is set, in front of one another.
func (c *canvas) chart(title, path string, key []Hue, over bool, steps []float64, write func(float64) string, column func(*stretch) (values []value, text, search string)) Chart {
	out := Chart{Title: title, Path: path, Key: key, X: c.times(), By: by(c.width)}
	top := 0.0
	rows := make([][]value, len(c.all))
	for i := range c.all {
		values, text, where := column(&c.all[i])
		high := 0.0
		for _, v := range values {
			if over {
				high = max(high, v.of)
			} else {
				high += v.of
			}
		}
		top, rows[i] = max(top, high), values
		m := Moment{From: c.from.Add(time.Duration(i) * c.width), Text: text}
		m.To = m.From.Add(c.width)
		m.Search = strings.TrimSpace(c.where + " " + c.period(path, &m) + " " + where)
		n := float64(len(c.all))
		m.AllX, m.AllW = Percent(float64(i)/n), Percent(1/n)
		m.X, m.W = Percent((float64(i)+0.1)/n), Percent(0.8/n)
		out.Columns = append(out.Columns, m)
	}
	step := steps[len(steps)-1]
	for _, s := range steps {
		if top/s <= 4 {
			step = s
			break
		}
	}
	high := step
	for high < top {
		high += step
	}
	for at := 0.0; at <= high+step/2; at += step {
		out.Y = append(out.Y, Label{At: Percent(1 - at/high), Text: write(at)})
	}
	for i, values := range rows {
		y := 1.0
		for _, v := range values {
			if v.of <= 0 {
				continue
			}
			share := v.of / high
			if over {
				y = 1
			}
			y -= share
			out.Columns[i].Parts = append(out.Columns[i].Parts, part{Y: Percent(y), H: Percent(share), Class: v.class})
		}
	}
	return out
}

// period is the search for what is in a column.
func (c *canvas) period(path string, m *Moment) string {
	since, until := "ended-since", "ended-until"
	if path != "/runs" {
		since, until = "since", "until"
	}
	return search.Condition(since, m.From.UTC().Format(time.RFC3339)) + " " + search.Condition(until, m.To.UTC().Format(time.RFC3339))
}

func (c *canvas) ends() Chart {
	key := []Hue{{"c-ok", "completed"}, {"c-undo", "compensated"}, {"c-cancel", "cancelled"}, {"c-fail", "abandoned"}}
	return c.chart("Runs that ended", "/runs", key, false, counting, number, func(s *stretch) ([]value, string, string) {
		values := []value{{float64(s.Succeeded), "c-ok"}, {float64(s.Failed), "c-undo"}, {float64(s.Cancelled), "c-cancel"}, {float64(s.Abandoned), "c-fail"}}
		return values, format.Number(s.Succeeded) + " completed, " + format.Number(s.Failed) + " compensated, " + format.Number(s.Cancelled) + " cancelled, " +
			format.Number(s.Abandoned) + " abandoned; " + format.Number(s.Started) + " started", ""
	})
}

func (c *canvas) failures() Chart {
	key := []Hue{{"c-fail", "of those that ended or got stuck"}}
	return c.chart("Failure rate", "/runs", key, false, shares, func(v float64) string { return strconv.FormatFloat(100*v, 'g', 3, 64) + "%" }, func(s *stretch) ([]value, string, string) {
		failed := s.RunsFailed()
		rate := 0.0
		if failed > 0 {
			rate = float64(failed) / float64(s.Succeeded+failed)
		}
		return []value{{rate, "c-fail"}}, strconv.FormatFloat(100*rate, 'f', 1, 64) + "%: " + format.Number(s.Failed) + " compensated, " + format.Number(s.Abandoned) + " abandoned, " +
			format.Number(max(0, s.StuckMore)) + " more stuck", "state:compensated state:abandoned"
	})
}

func (c *canvas) durations() Chart {
	key := []Hue{{"c-p50", "p50"}, {"c-p95", "p95"}}
	return c.chart("How long runs took", "/runs", key, true, lasting, func(v float64) string { return format.Round(time.Duration(v)) }, func(s *stretch) ([]value, string, string) {
		p50, p95 := s.latency.Quantile(0.5), s.latency.Quantile(0.95)
		text := "no run ended"
		if s.latency.Count > 0 {
			text = "half within " + format.Took(p50) + ", 95% within " + format.Took(p95) + ", the longest " + format.Took(s.latency.Max)
		}
		return []value{{float64(p95), "c-p95"}, {float64(p50), "c-p50"}}, text, ""
	})
}

func (c *canvas) levels() Chart {
	key := []Hue{{"c-stuck", "stuck"}, {"c-wait", "at rest: waiting, retrying or paused"}}
	return c.chart("Stuck and at rest", "/audit", key, false, counting, number, func(s *stretch) ([]value, string, string) {
		return []value{{float64(s.stuck), "c-stuck"}, {float64(s.waiting), "c-wait"}},
			format.Number(s.stuck) + " stuck and " + format.Number(s.waiting) + " at rest at its end; " + format.Number(max(0, s.StuckMore)) + " more stuck", "what:run.stuck"
	})
}

func number(v float64) string { return format.Number(int64(v)) }

// The steps of the axes: of counts, of shares, and of durations.
var (
	counting = func() (out []float64) {
		for ten := 1.0; ten < 1e15; ten *= 10 {
			out = append(out, ten, 2*ten, 5*ten)
		}
		return out
	}()
	shares  = []float64{0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25}
	lasting = func() (out []float64) {
		for _, d := range nice {
			out = append(out, float64(d))
		}
		for days := 60.0; days < 100_000; days *= 2 {
			out = append(out, days*24*float64(time.Hour))
		}
		return out
	}()
)

// axisTimes is how many labels the time axis has at most.
const axisTimes = 8

// axisEnd is from which share of the axis on a label has no room behind its mark.
const axisEnd = 0.88

// times are the labels of the time axis.
func (c *canvas) times() (out []Label) {
	span := time.Duration(len(c.all)) * c.width
	step := nice[len(nice)-1]
	for _, n := range nice {
		if n >= c.width && span <= axisTimes*n {
			step = n
			break
		}
	}
	for at := c.from.Add(step - 1).Truncate(step); at.Before(c.from.Add(span)); at = at.Add(step) {
		l := Label{At: Percent(float64(at.Sub(c.from)) / float64(span)), Time: at, Day: step >= 24*time.Hour, Odd: len(out)%2 == 1}
		l.End = float64(at.Sub(c.from))/float64(span) > axisEnd
		l.Text = at.UTC().Format("15:04")
		if l.Day {
			l.Text = at.UTC().Format("Jan 2")
		}
		out = append(out, l)
	}
	return out
}

// by says how wide a column is.
func by(width time.Duration) string {
	switch width {
	case time.Minute:
		return "by the minute"
	case time.Hour:
		return "by the hour"
	case 24 * time.Hour:
		return "by the day"
	}
	return "by " + format.Round(width)
}
