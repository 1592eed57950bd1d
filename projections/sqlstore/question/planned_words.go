package question

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/projections"
)

// wordParts replaces the condition on words, the beginnings of some, by whole words.
func (s *Tables) wordParts(ctx context.Context, with Queryer, t *projections.Table, parts []part, cond int) ([]part, error) {
	c := parts[0].Where[cond]
	words, err := (&builder{Tables: s, table: t}).wordsOf(c)
	if err != nil {
		return nil, err
	}
	vocabulary, err := s.vocabulary(ctx, with, t, c)
	if err != nil {
		return nil, err
	}
	left := make([]string, 0, len(words)) // too many words begin with these
	for _, w := range words {
		found, listed := vocabulary[w]
		if !listed || len(found)*len(parts) > mostParts {
			left = append(left, w)
			continue
		}
		var more []part
		for _, p := range parts {
			for _, f := range found {
				more = append(more, part{Query: p.Query, words: append(slices.Clone(p.words), f)})
			}
		}
		parts = more
	}
	for i := range parts {
		p := &parts[i]
		p.Where = slices.Clone(p.Where)
		if len(left) > 0 {
			p.Where[cond] = projections.Match(strings.Join(left, " "))
		} else {
			p.Where = slices.Delete(p.Where, cond, cond+1)
		}
		p.said = projections.Match(strings.Join(p.words, " "))
		if len(p.words) == 0 {
			p.prefix = slices.MaxFunc(left, func(a, b string) int { return len(a) - len(b) })
		}
	}
	return parts, nil
}

// withWords returns the part with its words as a condition like any other.
func (p part) withWords() part {
	if len(p.words) > 0 {
		p.Where, p.words = append(slices.Clone(p.Where), p.said), nil
	}
	return p
}

// throughWords answers a part by its words.
func (s *Tables) throughWords(ctx context.Context, with Queryer, t *projections.Table, p part, sorted bool) ([]projections.Row, error) {
	b := builder{Tables: s, table: t}
	b.write("SELECT " + columns(t))
	b.fromWords(p.words)
	on := map[string]string{t.Key[0]: "w0.key"}
	if err := b.each(on, p.Where); err != nil {
		return nil, err
	}
	b.whereWords(p.words)
	return b.finish(ctx, with, p.Query, on, sorted)
}

// fromWords writes the table of words once for each word.
func (b *builder) fromWords(words []string) {
	name := b.Dialect.WordsTable(b.Physical(b.table))
	b.write(" FROM " + name + " AS w0")
	for i := range words[1:] {
		b.write(fmt.Sprintf(" JOIN %s AS w%d ON w%d.key = w0.key", name, i+1, i+1))
	}
}

func (b *builder) whereWords(words []string) {
	for i, w := range words {
		b.write(fmt.Sprintf(" AND w%d.word = %s", i, b.plain(w)))
	}
}

// countWords returns how many rows have all the words, at most few.
func (s *Tables) countWords(ctx context.Context, with Queryer, t *projections.Table, words []string) (int, error) {
	b := builder{Tables: s, table: t}
	b.write("SELECT count(*) FROM (SELECT 1")
	b.fromWords(words)
	b.write(" WHERE 1=1")
	b.whereWords(words)
	b.write(fmt.Sprintf(" LIMIT %d) AS n", few))
	return s.number(ctx, with, t, &b)
}

// among writes that a word of the row begins with the prefix, where few rows have such a word.
// Where many do it writes nothing: then rows are found without looking for them.
func (b *builder) among(ctx context.Context, with Queryer, prefix string) error {
	key := b.table.Key[0]
	name := b.Dialect.WordsTable(b.Physical(b.table))
	between := func(arg func(any) string) string {
		return name + " WHERE word >= " + arg(prefix) + " AND word < " + arg(past(prefix))
	}
	n := builder{Tables: b.Tables, table: b.table}
	n.write("SELECT count(*) FROM (SELECT 1 FROM " + between(n.plain) + fmt.Sprintf(" LIMIT %d) AS n", few))
	found, err := b.number(ctx, with, b.table, &n)
	if err != nil || found == few {
		return err
	}
	b.write(" AND t." + Quote(key) + " IN (SELECT key FROM " + between(b.plain) + ")")
	return nil
}
