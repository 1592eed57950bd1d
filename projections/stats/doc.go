// Package stats is the view of counts and latencies: how often and how fast actions and sagas
// succeed and fail, in all and over time.
//
// It owns the table, what each event counts for, how long which buckets are kept, and the questions
// that can be asked. It knows nothing of how a query is answered or when it is projected.
//
// Files, in reading order:
//
//   - query.go: what can be asked
//   - view.go: the table, and how long its buckets are kept
//   - apply.go: from events to counts
//   - stored.go: counts as rows of the table
//   - row.go: what is answered
//   - histogram.go: how often which durations occur
package stats
