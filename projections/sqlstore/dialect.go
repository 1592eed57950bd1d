// Package sqlstore is what the SQL stores of views have in common: the statements, and the
// choice of the index that a query is driven by. An adapter adds its engine's [Dialect], opens
// databases and decides where each generation lives.
package sqlstore

import "github.com/atonehq/atone/projections"

// Dialect is what differs between SQL engines.
type Dialect interface {
	// Arg returns the n-th placeholder, from 1.
	Arg(n int) string
	// Type returns the SQL type of a column.
	Type(t projections.Type) string
	// TableOptions follows the closing parenthesis of a table with that key.
	TableOptions(integerKey bool) string
	// WordsIndex returns the statements that make the index of a table's words; its physical
	// name is given without quotes.
	WordsIndex(physical, key, words string) []string
	// PutWords returns the statements that take the words of a row (arguments: key) out of the index and put
	// them in (arguments: key, words). Only a Driven dialect is asked.
	PutWords(physical string) (remove, insert string)
	// MatchWords returns a condition on row t of a table: its words column has, for each of the
	// words, one that begins with it. arg adds an argument and returns its placeholder.
	MatchWords(words string, of []string, arg func(any) string) string
	// Rows is the largest number of rows in one INSERT.
	Rows() int
	// Local is true where the engine runs in this process and a statement that writes is over in no time: it is
	// not interrupted by the end of a context, which would cost more than the statement.
	Local() bool
	// Driven is true where a query names the index that drives it, because the engine's own
	// choice is a guess. Such an engine has an index of words of its own, from which deleted rows vanish by themselves.
	// Otherwise the words are rows (word, key) of a table, see WordsTable.
	Driven() bool
	// Vocabulary returns a query for the indexed words from the first argument (inclusive) to the second
	// (exclusive), at most limit of them.
	Vocabulary(physical string, limit int) string
	// WordsFrom returns what to read to find the rows with the words, and the column in it that
	// has their key. Only a Driven dialect is asked.
	WordsFrom(physical string, of []Wanted, arg func(any) string) (from, key string)
	// WordsTable returns the name of the table of words, and the statements that bring it up to what rows, not put
	// yet, will say (arguments: their keys and their words, as arrays): one that takes out what they said before and
	// one that puts in what they say. Only a dialect that isn't Driven is asked.
	WordsTable(physical, key, words string) (name, remove, insert string)
}

// Wanted is a word to be found: any of the indexed words that begin with Prefix. Where these are few
// they are listed, because finding a whole word is a walk along its rows, while finding a prefix gathers all rows first.
type Wanted struct {
	Prefix string
	Words  []string
}

func quote(name string) string { return `"` + name + `"` }
