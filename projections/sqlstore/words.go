package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// putWords brings the index of words up to what the rows, not put yet, will say.
func (x *tx) putWords(ctx context.Context, t *projections.Table, rows []projections.Row) error {
	if t.Words == "" {
		return nil
	}
	if !x.Dialect.Driven() {
		return x.putAllWords(ctx, t, rows)
	}
	remove, insert := x.Dialect.PutWords(x.tables().Physical(t))
	k, w := t.Column(t.Key[0]), t.Column(t.Words)
	known := map[any]any{} // of rows that come more than once, the words that they have by then
	for _, r := range rows {
		words, err := question.ToSQL(r[w])
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
	remove, insert := x.Dialect.PutWordsOf(x.tables().Physical(t), t.Key[0], t.Words)
	var keys []int64
	var words []*string
	for _, r := range rows {
		values, err := question.ToSQLs(nil, []any{r[k], r[w]})
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

// forgetWords takes the words of rows that are about to be deleted out of the index, where they
// don't vanish from it by themselves.
func (x *tx) forgetWords(ctx context.Context, t *projections.Table, rows []projections.Row) error {
	if t.Words == "" || x.Dialect.Driven() || len(rows) == 0 {
		return nil
	}
	keys := make([]int64, len(rows))
	for i, r := range rows {
		v, err := question.ToSQL(r[0])
		if err != nil {
			return err
		}
		keys[i], _ = v.(int64)
	}
	remove, _ := x.Dialect.PutWordsOf(x.tables().Physical(t), t.Key[0], t.Words)
	return x.exec(ctx, remove, []any{keys, make([]*string, len(keys))})
}

// oldWords returns the words that the row has now, or nil.
func (x *tx) oldWords(ctx context.Context, t *projections.Table, key any) (words any, err error) {
	st, err := x.bind(ctx, "SELECT "+question.Quote(t.Words)+" FROM "+question.Quote(x.tables().Physical(t))+" WHERE "+question.Quote(t.Key[0])+" = "+x.Dialect.Arg(1)) //nolint:sqlclosecheck // the transaction closes it
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
