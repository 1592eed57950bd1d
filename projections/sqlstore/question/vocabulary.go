package question

import (
	"context"
	"errors"
	"fmt"

	"github.com/atonehq/atone/projections"
)

// fewWords is how many words with one beginning are looked for one by one.
const fewWords = 8

// vocabulary returns, for each word of the condition that is the beginning of few indexed words,
// these.
func (s *Tables) vocabulary(ctx context.Context, with Queryer, t *projections.Table, c projections.Cond) (map[string][]string, error) {
	words, err := (&builder{Tables: s, table: t}).wordsOf(c)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]string, len(words))
	for _, w := range words {
		found, err := s.strings(ctx, with, s.Dialect.Vocabulary(s.Physical(t), fewWords+1), w, past(w))
		if err != nil {
			return nil, fmt.Errorf("query the words of %s.%s: %w", s.View.Name, t.Name, err)
		}
		if len(found) <= fewWords {
			out[w] = found
		}
	}
	return out, nil
}

// strings reads a query's only column.
func (s *Tables) strings(ctx context.Context, with Queryer, query string, args ...any) (out []string, err error) {
	rows, err := with.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

// past returns what sorts behind every word that begins with the prefix: U+10FFFF sorts behind
// every letter.
func past(prefix string) string { return prefix + "\U0010FFFF" }
