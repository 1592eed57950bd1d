package postgres

import (
	"strconv"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
)

type dialect struct{}

var _ sqlstore.Dialect = dialect{}

func (dialect) Arg(n int) string { return "$" + strconv.Itoa(n) }

// Type sorts text by its bytes, as SQLite does.
func (dialect) Type(t projections.Type) string {
	switch t {
	case projections.Text, projections.Texts:
		return `TEXT COLLATE "C"`
	case projections.Bytes:
		return "BYTEA"
	}
	return "BIGINT"
}

func (dialect) TableOptions(bool) string { return "" }

// ListTables makes tables for rows that are rewritten often: each page has room for the next
// version of a row, and the engine compresses nothing.
func (dialect) ListTables(lists, ranges string) []string {
	return []string{
		`CREATE TABLE ` + lists + ` (term TEXT COLLATE "C" NOT NULL, chunk BIGINT NOT NULL, bits BYTEA NOT NULL, PRIMARY KEY (term, chunk)) WITH (fillfactor = 80)`,
		`ALTER TABLE ` + lists + ` ALTER bits SET STORAGE PLAIN`,
		`CREATE TABLE ` + ranges + ` (col TEXT COLLATE "C" NOT NULL, chunk BIGINT NOT NULL, lo BIGINT NOT NULL, hi BIGINT NOT NULL, has BYTEA NOT NULL, numbers BYTEA NOT NULL, PRIMARY KEY (col, chunk))`,
		`ALTER TABLE ` + ranges + ` ALTER has SET STORAGE PLAIN, ALTER numbers SET STORAGE EXTERNAL`,
	}
}

func (dialect) Rows() int { return 128 }

func (dialect) Local() bool { return false }
