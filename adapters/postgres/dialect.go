package postgres

import (
	"strconv"
	"strings"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

type dialect struct{}

var _ sqlstore.Dialect = dialect{}

func (dialect) Arg(n int) string { return "$" + strconv.Itoa(n) }

// Type sorts text by its bytes, as SQLite does.
func (dialect) Type(t projections.Type) string {
	switch t {
	case projections.Text:
		return `TEXT COLLATE "C"`
	case projections.Bytes:
		return "BYTEA"
	}
	return "BIGINT"
}

func (dialect) TableOptions(bool) string { return "" }

func (dialect) WordsTable(physical string) string { return wordsTable(physical) }

func wordsTable(physical string) string { return `"` + physical + `$words"` }

// WordsIndex is a table rather than a GIN index, which gathers all rows with a word before it can
// tell the newest.
func (dialect) WordsIndex(physical, _, _ string) []string {
	return []string{`CREATE TABLE ` + wordsTable(physical) + ` (word TEXT COLLATE "C", key BIGINT, PRIMARY KEY (word, key))`}
}

func (dialect) PutWords(string) (remove, insert string) {
	panic("only a driven dialect is asked for this")
}

func (dialect) PutWordsOf(physical, key, words string) (remove, insert string) {
	name := wordsTable(physical)
	const said = `unnest($1::bigint[], $2::text[]) AS n(key, words)`
	remove = `DELETE FROM ` + name + ` AS w USING ` + said + `, "` + physical + `" AS t WHERE t."` + key + `" = n.key AND t."` + words + `" IS DISTINCT FROM n.words
		AND w.key = n.key AND w.word = ANY (string_to_array(t."` + words + `", ' '))`
	return remove, `INSERT INTO ` + name + ` (word, key) SELECT w, n.key FROM ` + said + `, unnest(string_to_array(n.words, ' ')) AS w ON CONFLICT DO NOTHING`
}

// MatchWords looks at the row's own words.
func (dialect) MatchWords(words string, of []string, arg func(any) string) string {
	conds := make([]string, len(of))
	for i, w := range of {
		conds[i] = "strpos(' ' || " + words + ", " + arg(" "+w) + "::text) > 0"
	}
	return strings.Join(conds, " AND ")
}

func (dialect) Rows() int { return 128 }

func (dialect) Local() bool { return false }

func (dialect) Driven() bool { return false }

// Vocabulary hops from word to word: a plain DISTINCT would read every row of each.
func (dialect) Vocabulary(physical string, limit int) string {
	words := wordsTable(physical)
	return `WITH RECURSIVE v(word) AS (
		(SELECT word FROM ` + words + ` WHERE word >= $1 AND word < $2 ORDER BY word LIMIT 1)
		UNION ALL SELECT (SELECT w.word FROM ` + words + ` AS w WHERE w.word > v.word AND w.word < $2 ORDER BY w.word LIMIT 1) FROM v WHERE v.word IS NOT NULL
	) SELECT word FROM v WHERE word IS NOT NULL LIMIT ` + strconv.Itoa(limit)
}

func (dialect) WordsFrom(string, []question.Wanted, func(any) string) (from, key string) {
	panic("only a driven dialect is asked for this")
}
