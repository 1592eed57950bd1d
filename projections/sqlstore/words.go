package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/atonehq/atone/projections"
)

// putWords brings the index of words up to what the rows, not put yet, will say.
func (x *tx) putWords(ctx context.Context, t *projections.Table, rows []projections.Row) error {
	if t.Words == "" {
		return nil
	}
	if !x.Dialect.Driven() {
		return x.putAllWords(ctx, t, rows)
	}
	remove, insert := x.Dialect.PutWords(x.physical(t))
	k, w := t.Column(t.Key[0]), t.Column(t.Words)
	known := map[any]any{} // of rows that come more than once, the words that they have by then
	for _, r := range rows {
		words, err := toSQL(r[w])
		if err != nil {
			return err
		}
		if t.Columns[w].Fixed {
			if words != nil {
				if err := x.exec(ctx, insert, []any{r[k], words}); err != nil {
					return err
				}
			}
			continue
		}
		old, seen := known[r[k]]
		if !seen {
			if old, err = x.oldWords(ctx, t, r[k]); err != nil {
				return err
			}
		}
		if known[r[k]] = words; old == words {
			continue
		}
		if old != nil {
			if err := x.exec(ctx, remove, []any{r[k]}); err != nil {
				return err
			}
		}
		if words != nil {
			if err := x.exec(ctx, insert, []any{r[k], words}); err != nil {
				return err
			}
		}
	}
	return nil
}

// putAllWords does the same for all rows at once; each key comes once.
func (x *tx) putAllWords(ctx context.Context, t *projections.Table, rows []projections.Row) error {
	k, w := t.Column(t.Key[0]), t.Column(t.Words)
	_, remove, insert := x.Dialect.WordsTable(x.physical(t), t.Key[0], t.Words)
	var keys []int64
	var words []*string
	for _, r := range rows {
		values, err := toSQLs(nil, []any{r[k], r[w]})
		if err != nil {
			return err
		}
		text, said := values[1].(string)
		if !said && t.Columns[w].Fixed {
			continue
		}
		key, _ := values[0].(int64)
		keys, words = append(keys, key), append(words, nil)
		if said {
			words[len(words)-1] = &text
		}
	}
	if len(keys) == 0 {
		return nil
	}
	if !t.Columns[w].Fixed {
		if err := x.exec(ctx, remove, []any{keys, words}); err != nil {
			return err
		}
	}
	return x.exec(ctx, insert, []any{keys, words})
}

// forgetWords takes the words of rows that are about to be deleted out of the index, where they don't vanish from it by themselves.
func (x *tx) forgetWords(ctx context.Context, t *projections.Table, rows []projections.Row) error {
	if t.Words == "" || x.Dialect.Driven() || len(rows) == 0 {
		return nil
	}
	keys := make([]int64, len(rows))
	for i, r := range rows {
		v, err := toSQL(r[0])
		if err != nil {
			return err
		}
		keys[i], _ = v.(int64)
	}
	_, remove, _ := x.Dialect.WordsTable(x.physical(t), t.Key[0], t.Words)
	return x.exec(ctx, remove, []any{keys, make([]*string, len(keys))})
}

// oldWords returns the words that the row has now, or nil.
func (x *tx) oldWords(ctx context.Context, t *projections.Table, key any) (words any, err error) {
	st, err := x.bind(ctx, "SELECT "+quote(t.Words)+" FROM "+quote(x.physical(t))+" WHERE "+quote(t.Key[0])+" = "+x.Dialect.Arg(1))
	if err != nil {
		return nil, err
	}
	if err := st.QueryRowContext(ctx, key).Scan(&words); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if b, ok := words.([]byte); ok {
		return string(b), nil
	}
	return words, nil
}

// fewWords is how many words with one beginning are looked for one by one.
const fewWords = 8

// vocabulary returns, for each word of the condition that is the beginning of few indexed words, these.
func (s *Space) vocabulary(ctx context.Context, with Queryer, t *projections.Table, c projections.Cond) (map[string][]string, error) {
	words, err := (&builder{Space: s, table: t}).wordsOf(c)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]string, len(words))
	for _, w := range words {
		found, err := s.strings(ctx, with, s.Dialect.Vocabulary(s.physical(t), fewWords+1), w, past(w))
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
func (s *Space) strings(ctx context.Context, with Queryer, query string, args ...any) (out []string, err error) {
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

// past returns what sorts behind every word that begins with the prefix: U+10FFFF sorts behind every letter.
func past(prefix string) string { return prefix + "\U0010FFFF" }
