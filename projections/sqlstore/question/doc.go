// Package question answers queries of views in SQL.
//
// It owns the way from a [projections.Query] to statements and rows. A table without lists is asked
// as it stands, and so is one with lists where an index of the database leads straight to the rows.
// Otherwise a table with lists is asked in two steps: each condition is a set of rows, read from
// lists ([lists.Rows]) or from blocks of numbers, and sets are joined; then the order picks the
// first rows of what is left. Conditions that have no list or block are checked on the rows
// themselves. Nothing is estimated, so that the cost of a query grows with the number of lists that
// it reads, and not with what is in them.
//
// It knows nothing of how rows are written, of generations and transactions, and of the database
// engine beyond its [Dialect].
//
// Files, in reading order:
//
//   - question.go: a query, and where it goes
//   - answer.go: a query of a table with lists: a set of rows, and the first of them
//   - values_query.go: which values a column has, and how many rows have each
//   - found.go: the rows for which conditions hold
//   - numbers.go: rows found by a range, and put in order
//   - terms.go: which lists a row is in
//   - builder.go: one statement
//   - tables.go: the tables that are asked
//   - dialect.go: what differs between engines
//   - names.go: names in SQL
//   - values.go: values of rows, to SQL and back
package question
