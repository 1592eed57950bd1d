package stats

import (
	"context"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Filter selects statistics.
type Filter struct {
	// Saga and Action select one; empty selects all.
	Saga, Action string
	// Since leaves out everything before. It is exact to the minute within 2 hours before the
	// newest event, and to the hour within 35 days. The zero value means all time.
	Since time.Time
	projections.Fresh
}

var view = View()

// Find returns the sums over the selected time, for each saga and action, sorted by these.
func Find(ctx context.Context, r *projections.Reader, f Filter) ([]Row, error) {
	points, err := Over(ctx, r, f)
	if err != nil {
		return nil, err
	}
	type key struct {
		saga, action string
		dir          domain.Direction
	}
	at := map[key]int{}
	var out []Row
	for _, p := range points {
		k := key{p.Saga, p.Action, p.Direction}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, Row{Saga: p.Saga, Action: p.Action, Direction: p.Direction})
		}
		out[i].Add(p.Counts)
		out[i].Latency.Merge(p.Latency)
	}
	return out, nil
}

// Over returns the statistics bucket by bucket, for charts: sorted by saga, action, direction and
// time. Without Since there is one bucket, all time.
func Over(ctx context.Context, r *projections.Reader, f Filter) ([]Point, error) {
	q := projections.Query{Table: "stats", Order: []string{"saga", "action", "direction", "unit", "bucket"}}
	if f.Saga != "" {
		q.Where = append(q.Where, projections.Eq("saga", f.Saga))
	}
	if f.Action != "" {
		q.Where = append(q.Where, projections.Eq("action", f.Action))
	}
	unit := int64(unitAll)
	if !f.Since.IsZero() {
		newest, err := newestMinute(ctx, r, f.Fresh)
		if err != nil {
			return nil, err
		}
		unit = unitHour
		if f.Since.Unix() >= newest-keptMinutes {
			unit = unitMinute
		}
		since := f.Since.Unix()
		q.Where = append(q.Where, projections.Ge("bucket", since-since%unit))
	}
	q.Where = append(q.Where, projections.Eq("unit", unit))
	found, err := r.Rows(ctx, &view, q, f.Fresh)
	if err != nil {
		return nil, err
	}
	out := make([]Point, 0, len(found.Rows))
	for _, row := range found.Rows {
		s, err := decodeState(row)
		if err != nil {
			return nil, err
		}
		p := Point{Row: Row{Saga: row.Text(columnSaga), Action: row.Text(columnAction), Direction: domain.Direction(row.Text(columnDirection)), Counts: s.Counts, Latency: s.latency}}
		if unit > 0 {
			p.From, p.Width = time.Unix(row.Int(columnBucket), 0).UTC(), time.Duration(unit)*time.Second
		}
		out = append(out, p)
	}
	return slices.Clip(out), nil
}

func newestMinute(ctx context.Context, r *projections.Reader, fresh projections.Fresh) (int64, error) {
	found, err := r.Rows(ctx, &view, projections.Query{Table: "stats", Where: []projections.Cond{projections.Eq("unit", unitMinute)}, Order: []string{"bucket"}, Desc: true, Limit: 1}, fresh)
	if err != nil || len(found.Rows) == 0 {
		return 0, err
	}
	return found.Rows[0].Int(columnBucket), nil
}
