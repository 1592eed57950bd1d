package sqlite

import (
	"strconv"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
)

type dialect struct{}

var _ sqlstore.Dialect = dialect{}

func (dialect) Arg(n int) string { return "?" + strconv.Itoa(n) }

func (dialect) Type(t projections.Type) string {
	switch t {
	case projections.Text, projections.Texts:
		return "TEXT"
	case projections.Bytes:
		return "BLOB"
	}
	return "INTEGER"
}

func (dialect) TableOptions(integerKey bool) string {
	if integerKey {
		return " STRICT"
	}
	return " STRICT, WITHOUT ROWID"
}

func (dialect) ListTables(lists, ranges string) []string {
	return []string{
		`CREATE TABLE ` + lists + ` (term TEXT NOT NULL, chunk INTEGER NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (term, chunk)) STRICT, WITHOUT ROWID`,
		`CREATE TABLE ` + ranges + ` (col TEXT NOT NULL, chunk INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, has BLOB NOT NULL, numbers BLOB NOT NULL, PRIMARY KEY (col, chunk)) STRICT`,
	}
}

func (dialect) Rows() int { return 1 }

func (dialect) Local() bool { return true }
