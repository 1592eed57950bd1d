// Package sqlstore has the code that the SQL stores of views share.
//
// It owns the tables of a generation, the catalogue of generations, and the transaction that saves
// rows, their lists and the position. It knows nothing of how a query is answered (package question
// does that), of the bytes of a list (package lists has them), and of where a generation is stored
// and how it is swapped: an adapter opens databases, decides that, and provides the [Dialect] of
// its database engine.
//
// Files, in reading order:
//
//   - update.go: the transaction that moves a generation on
//   - tx.go: rows put, deleted and read in it
//   - lists.go: what changed rows change in lists and blocks
//   - lists_write.go: lists and blocks written
//   - statements.go: prepared statements
//   - ask.go: queries, whose generation the store finds
//   - space.go: the tables of one generation
//   - catalog.go: which generations there are
//   - dialect.go: what differs between engines
package sqlstore
