package sqlstore

import (
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// Dialect is what differs between SQL engines.
type Dialect interface {
	question.Dialect
	// Type returns the SQL type of a column.
	Type(t projections.Type) string
	// TableOptions follows the closing parenthesis of a table with that key.
	TableOptions(integerKey bool) string
	// WordsIndex returns the statements that make the index of a table's words; its physical name
	// is given without quotes.
	WordsIndex(physical, key, words string) []string
	// PutWords returns the statements that take the words of a row (arguments: key) out of the
	// index and put them in (arguments: key, words). Only a Driven dialect is asked.
	PutWords(physical string) (remove, insert string)
	// PutWordsOf returns the statements that bring the table of words up to what rows, not put yet,
	// will say (arguments: their keys and their words, as arrays): one that takes out what they
	// said before and one that puts in what they say. Only a dialect that is not Driven is asked.
	PutWordsOf(physical, key, words string) (remove, insert string)
	// Rows is the largest number of rows in one INSERT.
	Rows() int
	// Local is true where the engine runs in this process and a statement that writes is over in no
	// time: the end of a context does not interrupt it, which would cost more than the statement.
	Local() bool
}
