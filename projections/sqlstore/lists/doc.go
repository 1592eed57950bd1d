// Package lists has the lists and blocks by which rows of views are found.
//
// A list has the rows with one value in a column: "state=stuck" has the runs that are stuck. It is
// stored in chunks, each a [Set] of 4,096 rows. A [Block] has the numbers of 1,024 rows in one
// column, such as their start times.
//
// It owns the form of both in memory and as bytes. It knows nothing of SQL, tables and queries.
// Everything in it is pure.
//
// Files, in reading order:
//
//   - rows.go: which of all rows
//   - set.go: which of 4,096 rows
//   - block.go: the numbers of 1,024 rows in one column
//   - term.go: what a list is called
package lists
