package postgres

import (
	"strconv"
	"strings"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
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

// WordsIndex indexes the words as they stand in the row; the text is not parsed again.
func (dialect) WordsIndex(physical, _, words string) []string {
	return []string{`CREATE INDEX "` + physical + `_words" ON "` + physical + `" USING gin (` + vector(`"`+words+`"`) + `) WHERE "` + words + `" IS NOT NULL`}
}

// PutWords has nothing to do: an index is kept by the database.
func (dialect) PutWords(string) (remove, insert string) { return "", "" }

func vector(words string) string { return `array_to_tsvector(string_to_array(` + words + `, ' '))` }

// MatchWords names the index's own condition, which the planner does not infer.
func (dialect) MatchWords(words string, of []string, arg func(any) string) string {
	pattern := make([]string, len(of))
	for i, w := range of {
		pattern[i] = "'" + w + "':*" // words are letters and digits only
	}
	return words + " IS NOT NULL AND " + vector(words) + " @@ " + arg(strings.Join(pattern, " & ")) + "::text::tsquery"
}

func (dialect) Rows() int { return 128 }

func (dialect) Local() bool { return false }

func (dialect) Driven() bool { return false }

func (dialect) Vocabulary(string, int) string { panic("only a driven dialect is asked for this") }

func (dialect) WordsFrom(string, []sqlstore.Wanted, func(any) string) (from, key string) {
	panic("only a driven dialect is asked for this")
}
