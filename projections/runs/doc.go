// Package runs is the view of runs: one row for each run, with its current state.
//
// It owns the tables, the fold from events to a row, the filters and the row that a query returns.
// It knows nothing of how a query is answered, of when the view is projected, or of the body that
// the API makes of a row.
//
// Files, in reading order:
//
//   - versions.go: of which versions the unfinished runs are
//   - query.go: what can be asked
//   - named.go: the run that people name so
//   - match.go: conditions on one property of a run
//   - view.go: the tables
//   - apply.go: from a batch of events to changed rows
//   - fold.go: from one event to the next state of a run
//   - row.go: a run as it is stored and answered
//   - tags.go: labels, actions and more, by which runs are found
//   - states.go: the states that a run is in
//   - waiting.go: the sentence that says what a run waits for
//   - below.go: the stuck run below another one
package runs
