// Package question answers queries of views in SQL.
//
// It owns the way from a [projections.Query] to statements and rows: which index drives a query,
// how words are found, how parts of an answer are put in order. It knows nothing of how rows are
// written, of generations and transactions, and of the engine beyond its [Dialect].
//
// Its inside is to be replaced: two strategies, one for an engine that must be told which index to
// use and one for an engine with a planner, are more than a search language should rest on. What
// may change is everything below [Tables.Select]; what stays is that signature.
//
// Files, in reading order:
//
//   - question.go: a query, and where it goes
//   - planned.go: the way for an engine with a planner of its own
//   - planned_words.go: words on such an engine
//   - lateral.go: rows of one table found by those of another
//   - drive.go: the way for an engine that is told which index to use
//   - merge.go: a query for several values as one for each
//   - vocabulary.go: indexed words by their beginning
//   - builder.go: one statement
//   - tables.go: the tables that are asked
//   - dialect.go: what differs between engines
//   - names.go: names in SQL
//   - values.go: values of rows, to SQL and back
package question
