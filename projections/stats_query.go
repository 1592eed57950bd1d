package projections

import (
	"context"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
)

// Stat is what is known of an action in one direction or, where Action is empty, of a saga's runs.
type Stat struct {
	Saga      string           `json:"saga"`
	Action    string           `json:"action,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Counts
	// Latency is that of attempts from start to outcome, or of runs from start to end.
	Latency Histogram `json:"-"`
}

// FailureRate is the share of failures among the outcomes, from 0 to 1.
func (s *Stat) FailureRate() float64 { return share(s.Failed, s.Succeeded+s.Failed) }

// RetryRate is the share of retries among the attempts, from 0 to 1.
func (s *Stat) RetryRate() float64 { return share(s.Retried, s.Started) }

func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// StatsFilter selects statistics.
type StatsFilter struct {
	// Saga and Action select one; empty selects all.
	Saga, Action string
	// Since leaves out what happened before, to the minute within the last 2 hours before
	// the newest event, to the hour within 35 days. The zero value takes all time.
	Since time.Time
	Fresh
}

// Stats returns the sum over the time asked for, for each saga and action, sorted by these.
func (r *Reader) Stats(ctx context.Context, f StatsFilter) ([]Stat, error) {
	points, err := r.StatsOver(ctx, f)
	if err != nil {
		return nil, err
	}
	type key struct {
		saga, action string
		dir          domain.Direction
	}
	at := map[key]int{}
	var out []Stat
	for _, p := range points {
		k := key{p.Saga, p.Action, p.Direction}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, Stat{Saga: p.Saga, Action: p.Action, Direction: p.Direction})
		}
		out[i].Add(p.Counts)
		out[i].Latency.Merge(p.Latency)
	}
	return out, nil
}

// StatPoint is a statistic over one bucket of time.
type StatPoint struct {
	Stat
	// From is when the bucket begins, and Width how long it is; both are zero for all time.
	From  time.Time
	Width time.Duration
}

// StatsOver returns the statistics bucket by bucket, for charts: sorted by saga, action, direction and
// time. Without Since there is one bucket, all time.
func (r *Reader) StatsOver(ctx context.Context, f StatsFilter) ([]StatPoint, error) {
	q := Query{Table: "stats", Order: []string{"saga", "action", "direction", "unit", "bucket"}}
	if f.Saga != "" {
		q.Where = append(q.Where, Eq("saga", f.Saga))
	}
	if f.Action != "" {
		q.Where = append(q.Where, Eq("action", f.Action))
	}
	unit := int64(unitAll)
	if !f.Since.IsZero() {
		newest, err := r.newestMinute(ctx, f.Fresh)
		if err != nil {
			return nil, err
		}
		unit = unitHour
		if f.Since.Unix() >= newest-keptMinutes {
			unit = unitMinute
		}
		since := f.Since.Unix()
		q.Where = append(q.Where, Ge("bucket", since-since%unit))
	}
	q.Where = append(q.Where, Eq("unit", unit))
	page, err := r.Rows(ctx, &statsView, q, f.Fresh)
	if err != nil {
		return nil, err
	}
	out := make([]StatPoint, 0, len(page.Rows))
	for _, row := range page.Rows {
		s, err := statOf(row)
		if err != nil {
			return nil, err
		}
		p := StatPoint{Stat: Stat{Saga: text(row[0]), Action: text(row[1]), Direction: domain.Direction(text(row[2])), Counts: s.Counts, Latency: s.latency}}
		if unit > 0 {
			p.From, p.Width = time.Unix(number(row[4]), 0).UTC(), time.Duration(unit)*time.Second
		}
		out = append(out, p)
	}
	return slices.Clip(out), nil
}

func (r *Reader) newestMinute(ctx context.Context, fresh Fresh) (int64, error) {
	page, err := r.Rows(ctx, &statsView, Query{Table: "stats", Where: []Cond{Eq("unit", unitMinute)}, Order: []string{"bucket"}, Desc: true, Limit: 1}, fresh)
	if err != nil || len(page.Rows) == 0 {
		return 0, err
	}
	return number(page.Rows[0][4]), nil
}
