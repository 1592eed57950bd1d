// Package projections is the port between views and stores. Views turn the log into tables that
// people query; stores keep the tables.
//
// It owns what a view is ([View]: a name, a version, the shape of its tables and a function that
// applies events to them), the language of queries ([Query]), what a store can do ([Store]), and
// the [Reader] that queries views. It knows nothing of SQL, of when a view is projected, and of
// atone's own views: these have their own packages, which package views lists.
//
// Rows and position are saved in one transaction. So a view is disposable: a rebuild from the log
// gives the same content, whenever processes were killed. Package runner moves views on with the
// log and rebuilds them. Packages story and verify read a log directly, offline, and need no view.
//
// Files, in reading order:
//
//   - event.go: an event as views see it
//   - source.go: the log
//   - store.go: a store of views
//   - page.go: one page of a query's rows
//   - reader.go: queries of views
//   - await.go: waiting until a view has reached a position
//   - schema.go: a view and its tables
//   - beginning.go: texts found by how they begin
//   - query.go: conditions, order and limits
//   - values.go: which values a column has
//   - words.go: the words of rows, for text search
//   - row.go: the values of a row
//   - plan_fields.go: the secret and the searchable fields of a run
package projections
