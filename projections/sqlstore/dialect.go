package sqlstore

import (
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// Dialect describes the differences between SQL engines.
type Dialect interface {
	question.Dialect
	// Type returns the SQL type of a column.
	Type(t projections.Type) string
	// TableOptions follows the closing parenthesis of a table with that key.
	TableOptions(integerKey bool) string
	// ListTables returns the statements that make the two tables, of which the quoted names are
	// given, for the lists of a table's rows and for blocks of their numbers.
	ListTables(lists, ranges string) []string
	// Rows is the largest number of rows in one INSERT.
	Rows() int
}
