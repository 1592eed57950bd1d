// Package runs is the view of runs: one row for each, as it stands.
//
// It owns the tables, the fold from events to a row, the questions that can be asked and the row
// that answers them. It knows nothing of how a query is answered, of when it is projected, or of
// the body that the API makes of a row.
//
// Files, in reading order:
//
//   - query.go: what can be asked
//   - view.go: the tables
//   - apply.go: from a batch of events to changed rows
//   - fold.go: from one event to the next state of a run
//   - tags.go: labels and actions, by which runs are found
//   - row.go: a run as it is stored and answered
//   - waiting.go: the sentence that says what a run waits for
package runs
