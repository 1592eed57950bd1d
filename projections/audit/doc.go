// Package audit is the view of acts and outcomes: who did what to which run, and what came of it.
//
// It owns the table, how an event becomes a row of it, and the questions that can be asked. It
// knows nothing of how a query is answered or when the view is projected. Package story has the
// words for events.
//
// Files, in reading order:
//
//   - query.go: what can be asked
//   - view.go: the table
//   - apply.go: from an event to its row
//   - row.go: a row as it is answered
package audit
