// Package stats is the view of counts and latencies: how often and how fast actions and sagas
// succeed and fail, in all and over time.
//
// It owns the table, how each event is counted, how long buckets are kept, and the filters. It
// knows nothing of how a query is answered or when the view is projected.
//
// Files, in reading order:
//
//   - query.go: what can be asked
//   - view.go: the table, and how long its buckets are kept
//   - apply.go: from events to counts
//   - stored.go: counts as rows of the table
//   - row.go: the rows that a query returns
//   - histogram.go: counts of durations
package stats
