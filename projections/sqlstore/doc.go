// Package sqlstore is what the SQL stores of views share.
//
// It owns the tables of a generation, the catalogue of generations, and what is written in the
// transaction that also saves the position. It knows nothing of how a query is answered, which is
// the job of package question, and of where a generation lives and how it is swapped: an adapter
// opens databases, decides that, and gives its engine's [Dialect].
//
// Files, in reading order:
//
//   - tx.go: rows put, deleted and read in a transaction
//   - words.go: the index of words, kept up to date
//   - statements.go: prepared statements
//   - space.go: the tables of one generation, and the transaction that moves them on
//   - catalog.go: which generations there are
//   - dialect.go: what differs between engines
package sqlstore
