package stats

import "github.com/atonehq/atone/projections"

// The columns of the table.
const (
	columnSaga = iota
	columnAction
	columnDirection
	columnUnit
	columnBucket
	columnStarted
	columnSucceeded
	columnFailed
	columnRetried
	columnTimedOut
	columnLost
	columnCancelled
	columnAbandoned
	columnStuck
	columnStuckMore
	columnWaitingMore
	columnLatencies
	columnLatencySum
	columnLatencyMax
	columnHistogram
)

// The widths of buckets, in seconds, and for how long they are kept.
const (
	unitAll    = 0
	unitMinute = 60
	unitHour   = 3600

	keptMinutes = 2 * 3600
	keptHours   = 35 * 24 * 3600
)

// View returns the view of counts and latencies for each saga and action: in all, by the hour (kept
// for 35 days) and by the minute (kept for 2 hours). Ask it with [Find] and [Over].
//
// Ages are computed from the events' own times, so a rebuild keeps the same rows.
func View() projections.View {
	return projections.View{
		Name: "stats", Version: 3,
		Tables: []projections.Table{{
			Name: "stats",
			Columns: []projections.Column{
				{Name: "saga", Type: projections.Text, Fixed: true},
				// Action and direction are "" for the runs of the saga.
				{Name: "action", Type: projections.Text, Fixed: true},
				{Name: "direction", Type: projections.Text, Fixed: true},
				// The bucket's width in seconds; 0 for all time.
				{Name: "unit", Type: projections.Int, Fixed: true},
				// The bucket's beginning, in seconds since 1970.
				{Name: "bucket", Type: projections.Int, Fixed: true},
				{Name: "started", Type: projections.Int},
				{Name: "succeeded", Type: projections.Int},
				{Name: "failed", Type: projections.Int},
				{Name: "retried", Type: projections.Int},
				{Name: "timed_out", Type: projections.Int},
				{Name: "lost", Type: projections.Int},
				{Name: "cancelled", Type: projections.Int},
				{Name: "abandoned", Type: projections.Int},
				{Name: "stuck", Type: projections.Int},
				{Name: "stuck_more", Type: projections.Int},
				{Name: "waiting_more", Type: projections.Int},
				{Name: "latencies", Type: projections.Int},
				{Name: "latency_sum", Type: projections.Int},
				{Name: "latency_max", Type: projections.Int},
				{Name: "histogram", Type: projections.Bytes},
			},
			Key:     []string{"saga", "action", "direction", "unit", "bucket"},
			Indexes: [][]string{{"unit", "bucket"}},
		}},
		New: func() projections.Applier { return &applier{} },
	}
}
