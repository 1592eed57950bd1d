package sqlite

import (
	"strconv"
	"strings"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

type dialect struct{}

var _ sqlstore.Dialect = dialect{}

func (dialect) Arg(n int) string { return "?" + strconv.Itoa(n) }

func (dialect) Type(t projections.Type) string {
	switch t {
	case projections.Text:
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

// WordsIndex makes a contentless FTS5 table whose rowids are the rows' keys. The words are lower
// case and separated by spaces already, which is all that the ascii tokenizer looks for. Triggers
// could keep it whole, but FTS5 writes out what it gathered at each savepoint, and a trigger makes
// one of every row.
func (dialect) WordsIndex(physical, key, words string) []string {
	fts, t := `"`+physical+`_words"`, `"`+physical+`"`
	k, w := `"`+key+`"`, `"`+words+`"`
	return []string{
		`CREATE VIRTUAL TABLE ` + fts + ` USING fts5(words, content='', contentless_delete=1, detail=none, tokenize='ascii')`,
		`CREATE VIRTUAL TABLE "` + physical + `_vocabulary" USING fts5vocab('` + physical + `_words', 'row')`,
		`CREATE TRIGGER "` + physical + `_delete" AFTER DELETE ON ` + t + ` WHEN old.` + w + ` IS NOT NULL BEGIN
			DELETE FROM ` + fts + ` WHERE rowid = old.` + k + `; END`,
	}
}

func (dialect) PutWords(physical string) (remove, insert string) {
	fts := `"` + physical + `_words"`
	return `DELETE FROM ` + fts + ` WHERE rowid = ?1`, `INSERT OR REPLACE INTO ` + fts + `(rowid, words) VALUES (?1, ?2)`
}

// MatchWords looks at the row's own words: the index is only asked where it drives the query.
func (dialect) MatchWords(words string, of []string, arg func(any) string) string {
	conds := make([]string, len(of))
	for i, w := range of {
		conds[i] = "instr(' ' || " + words + ", " + arg(" "+w) + ") > 0"
	}
	return strings.Join(conds, " AND ")
}

func (dialect) Vocabulary(physical string, limit int) string {
	return `SELECT term FROM "` + physical + `_vocabulary" WHERE term >= ?1 AND term < ?2 LIMIT ` + strconv.Itoa(limit)
}

func (dialect) WordsFrom(physical string, of []question.Wanted, arg func(any) string) (from, key string) {
	pattern := make([]string, len(of))
	for i, w := range of {
		if pattern[i] = `"` + w.Prefix + `" *`; len(w.Words) > 0 {
			pattern[i] = `("` + strings.Join(w.Words, `" OR "`) + `")`
		}
	}
	return `"` + physical + `_words"(` + arg(strings.Join(pattern, " AND ")) + `) AS f`, "f.rowid"
}

func (dialect) Rows() int { return 1 }

func (dialect) Local() bool { return true }

func (dialect) Driven() bool { return true }

func (dialect) WordsTable(string) string {
	panic("only a dialect that is not driven is asked for this")
}

func (dialect) PutWordsOf(string, string, string) (remove, insert string) {
	panic("only a dialect that is not driven is asked for this")
}
