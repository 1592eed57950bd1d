// Package projections is the port between views, which turn the log into tables that people ask,
// and the stores that keep these.
//
// It owns what a view is: a name, a version, the shape of its tables and a function that applies
// events to them ([View]); the language in which rows are asked for ([Query]); what a store can do
// ([Store]); and the [Reader] that asks. It knows nothing of SQL, of when a view is projected, and
// of the views that atone has: these are in rooms of their own, and package views lists them.
//
// Rows and position are saved in one transaction. So a view is disposable: dropped and rebuilt from
// the log it has the same content, whatever was killed when. Package runner does that. Packages
// story and verify read a log directly, offline, and need no view.
//
// Files, in reading order:
//
//   - event.go: an event as views see it
//   - source.go: the log
//   - store.go: a store of views
//   - page.go: one page of a view's answer
//   - reader.go: asking a view
//   - await.go: waiting until a view has reached a position
//   - schema.go: a view and its tables
//   - query.go: conditions, order and limits
//   - words.go: the words that rows are found by
//   - row.go: the values of a row
//   - plan_fields.go: what is secret in a run, and what it is found by
package projections
