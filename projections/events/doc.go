// Package events is the view of domain events: those that apps and actions emitted, and not atone's
// own, which are most of a log.
//
// It owns the table, how an event becomes a row of it, the questions that can be asked, and the
// reading of what the rows stand for: the events themselves stay in the log. It knows nothing of
// how a query is answered, when the view is projected, and what may be shown of an event to whom.
//
// Files, in reading order:
//
//   - query.go: what can be asked
//   - view.go: the table
//   - apply.go: from an event to its row
//   - row.go: a row as it is answered
//   - read.go: the events of rows, from the log
package events
