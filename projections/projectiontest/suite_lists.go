package projectiontest

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/projections"
)

// listed has a table with every kind of list.
func listed() projections.View {
	v := counter(1, nil)
	v.Name = "listed"
	v.Tables = []projections.Table{{
		Name: "listed", Key: []string{"n"}, Indexes: [][]string{{"name"}},
		Lists: []string{"kind", "level", "marks", "of"}, Ranges: []string{"began", "ended"}, Words: "words",
		Columns: []projections.Column{
			{Name: "n", Type: projections.Int, Fixed: true}, {Name: "name", Type: projections.Text, Fixed: true}, {Name: "kind", Type: projections.Text},
			{Name: "level", Type: projections.Int}, {Name: "marks", Type: projections.Texts}, {Name: "of", Type: projections.Bytes},
			{Name: "began", Type: projections.Int}, {Name: "ended", Type: projections.Int}, {Name: "words", Type: projections.Text}, {Name: "doc", Type: projections.Text},
		},
	}}
	return v
}

// holds says in plain Go what a condition means.
func holds(t *projections.Table, c projections.Cond, r projections.Row) bool {
	if c.Op == projections.OpWords {
		return hasWords(r.Text(t.Column(t.Words)), c.Value.(string))
	}
	if c.Op == projections.OpAny {
		return slices.ContainsFunc(c.Any, func(one projections.Cond) bool { return holds(t, one, r) })
	}
	v := r[t.Column(c.Column)]
	order := func() int {
		if n, ok := v.(int64); ok {
			return cmp.Compare(n, c.Value.(int64))
		}
		if b, ok := v.([]byte); ok {
			return bytes.Compare(b, c.Value.([]byte))
		}
		return strings.Compare(v.(string), c.Value.(string))
	}
	switch c.Op {
	case projections.OpNull:
		return v == nil
	case projections.OpNotNull:
		return v != nil
	case projections.OpIn:
		return slices.Contains(c.Values, v)
	case projections.OpHas:
		return slices.ContainsFunc(r.Texts(t.Column(c.Column)), func(s string) bool { return slices.Contains(c.Values, any(s)) })
	case projections.OpWithin:
		within := func(s string) bool { return s >= c.Value.(string) && s < c.Values[0].(string) }
		if s, ok := v.(string); ok {
			return within(s)
		}
		return slices.ContainsFunc(r.Texts(t.Column(c.Column)), within)
	case projections.OpEq:
		return v != nil && order() == 0
	case projections.OpLt:
		return v != nil && order() < 0
	case projections.OpLe:
		return v != nil && order() <= 0
	case projections.OpGt:
		return v != nil && order() > 0
	}
	return v != nil && order() >= 0
}

// listsAgree changes rows at random, in transactions of which some fail and some are another
// process's, and asks for them by any conditions in any order.
func listsAgree(t *testing.T, open Opener) {
	store, again := open(t)
	other := again()
	v := listed()
	table := &v.Tables[0]
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		gen := made(t, store, &v)
		require.NoError(rt, store.Promote(ctx, &v, gen))
		rows := map[int64]projections.Row{}
		at := int64(0)
		text := rapid.SampledFrom([]string{"a", "b", "ab", "", "a=b", "b\x00", "card gone", "Zürich", strings.Repeat("€", 300)})
		clean := func(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }
		number := rapid.OneOf(rapid.Int64Range(0, 20), rapid.SampledFrom([]int64{-1 << 63, 1<<63 - 1, 1 << 40}))
		maybe := func(v any) any {
			if rapid.IntRange(0, 3).Draw(rt, "nil") == 0 {
				return nil
			}
			return v
		}
		for range rapid.IntRange(1, 6).Draw(rt, "transactions") {
			changed := map[int64]projections.Row{}
			fails := rapid.IntRange(0, 3).Draw(rt, "fails") == 0
			by := store
			if rapid.IntRange(0, 3).Draw(rt, "other process") == 0 {
				by = other
			}
			err := by.Update(ctx, &v, gen, projections.Checkpoint{Position: uint64Pos(at)}, projections.Checkpoint{Position: uint64Pos(at + 1)}, func(tx projections.Tx) error {
				for range rapid.IntRange(1, 4).Draw(rt, "steps") {
					switch rapid.IntRange(0, 4).Draw(rt, "step") {
					case 0:
						key := rapid.Int64Range(0, 30).Draw(rt, "deleted")
						if err := tx.Delete(ctx, "listed", projections.Row{key}); err != nil {
							return err
						}
						changed[key] = nil
					case 1:
						kind := text.Draw(rt, "deleted kind")
						if err := tx.DeleteWhere(ctx, "listed", projections.Eq("kind", kind)); err != nil {
							return err
						}
						for n, r := range rows {
							if now, seen := changed[n]; seen {
								r = now
							}
							if r != nil && r[2] == clean(kind) {
								changed[n] = nil
							}
						}
						for n, r := range changed {
							if r != nil && r[2] == clean(kind) {
								changed[n] = nil
							}
						}
					default:
						var put []projections.Row
						for range rapid.IntRange(1, 12).Draw(rt, "rows") {
							n := rapid.OneOf(rapid.Int64Range(0, 30), rapid.Int64Range(1000, 1050), rapid.Int64Range(4090, 4100)).Draw(rt, "n")
							marks := rapid.SliceOfN(text, 0, 3).Draw(rt, "marks")
							r := projections.Row{n, "row " + string(rune('a'+n%7)), maybe(text.Draw(rt, "kind")), maybe(number.Draw(rt, "level")), marks,
								maybe([]byte{byte(n % 3)}), maybe(number.Draw(rt, "began")), maybe(number.Draw(rt, "ended")), projections.TextOrNil(projections.Words(text.Draw(rt, "words"))), "{}"}
							put = append(put, r)
							stored := slices.Clone(r)
							if s, ok := stored[2].(string); ok {
								stored[2] = clean(s)
							}
							if stored[4] = nil; len(marks) > 0 {
								cleaned := make([]string, len(marks))
								for i, m := range marks {
									cleaned[i] = clean(m)
								}
								stored[4] = cleaned
							}
							changed[n] = stored
						}
						if err := tx.Put(ctx, "listed", put...); err != nil {
							return err
						}
					}
				}
				if fails {
					return errBroken
				}
				return nil
			})
			if fails {
				require.ErrorIs(rt, err, errBroken)
				continue
			}
			require.NoError(rt, err)
			at++
			for n, r := range changed {
				if r == nil {
					delete(rows, n)
				} else {
					rows[n] = r
				}
			}
			for range 4 {
				asks(rt, t, store, &v, table, rows, text, number)
			}
		}
	})
	_, err := store.Select(t.Context(), &v, projections.Query{Table: "listed", Order: []string{"doc"}})
	require.ErrorContains(t, err, "sorted by")
	_, err = store.Select(t.Context(), &v, projections.Query{Table: "listed", Where: []projections.Cond{projections.Has("nope", "a")}})
	require.ErrorContains(t, err, "no column")
	gens, err := store.Generations(t.Context(), v.Name)
	require.NoError(t, err)
	g := gens[len(gens)-1]
	to := g.Checkpoint
	to.Position++
	err = store.Update(t.Context(), &v, g.Number, g.Checkpoint, to, func(tx projections.Tx) error {
		return errors.Join(tx.Put(t.Context(), "listed", projections.Row{-1, nil, nil, nil, nil, nil, nil, nil, nil, nil}))
	})
	require.ErrorContains(t, err, "from 0 up")
}

func asks(rt *rapid.T, t *testing.T, store projections.Store, v *projections.View, table *projections.Table, rows map[int64]projections.Row, text *rapid.Generator[string], number *rapid.Generator[int64]) {
	q := projections.Query{Table: "listed", Order: []string{"n"}, Desc: rapid.Bool().Draw(rt, "desc")}
	if by := rapid.SampledFrom([]string{"", "began", "ended"}).Draw(rt, "order"); by != "" {
		q.Order = []string{by, "n"}
	}
	one := rapid.Custom(func(rt *rapid.T) projections.Cond {
		switch rapid.IntRange(0, 11).Draw(rt, "condition") {
		case 0:
			return projections.Eq("kind", text.Draw(rt, "value"))
		case 1:
			return projections.In("level", number.Draw(rt, "one"), number.Draw(rt, "other"))
		case 2:
			return projections.Has("marks", rapid.SliceOfN(text, 0, 2).Draw(rt, "marks")...)
		case 3:
			return projections.Match(text.Draw(rt, "text"))
		case 4:
			return projections.Cond{Op: rapid.SampledFrom([]projections.Op{projections.OpEq, projections.OpLt, projections.OpLe, projections.OpGt, projections.OpGe}).Draw(rt, "op"),
				Column: rapid.SampledFrom([]string{"began", "ended"}).Draw(rt, "column"), Value: number.Draw(rt, "bound")}
		case 5:
			return projections.Eq("name", "row c")
		case 6:
			return projections.Cond{Op: rapid.SampledFrom([]projections.Op{projections.OpNull, projections.OpNotNull}).Draw(rt, "op"),
				Column: rapid.SampledFrom([]string{"began", "ended", "kind", "of", "words", "doc"}).Draw(rt, "column")}
		case 7:
			return projections.Eq("of", []byte{1})
		case 8:
			return projections.Begins(rapid.SampledFrom([]string{"marks", "kind"}).Draw(rt, "column"), rapid.SampledFrom([]string{"", "a", "ab", "card", "b", "x"}).Draw(rt, "beginning"))
		case 9:
			return projections.Begins("name", rapid.SampledFrom([]string{"row", "row c", "", "x"}).Draw(rt, "beginning"))
		}
		return projections.Gt("name", "row b") // neither a list nor a range
	})
	for range rapid.IntRange(0, 3).Draw(rt, "conditions") {
		c := one.Draw(rt, "cond")
		if rapid.IntRange(0, 4).Draw(rt, "any") == 0 {
			// Words and marks are found by lists alone, and not beside a condition that has none.
			c = projections.AnyOf(slices.DeleteFunc(rapid.SliceOfN(one, 0, 3).Draw(rt, "conds"), func(c projections.Cond) bool {
				return c.Op == projections.OpWords || c.Op == projections.OpHas || c.Column == "marks"
			})...)
		}
		q.Where = append(q.Where, c)
	}
	by := table.Column(q.Order[0])
	var want []projections.Row
	for _, r := range rows {
		if r[by] != nil && !slices.ContainsFunc(q.Where, func(c projections.Cond) bool { return !holds(table, stored(c), r) }) {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, func(a, b projections.Row) int {
		c := cmp.Or(cmp.Compare(a.Int(by), b.Int(by)), cmp.Compare(a.Int(0), b.Int(0)))
		if q.Desc {
			return -c
		}
		return c
	})
	if len(q.Order) == 2 {
		q.Where = append(q.Where, projections.NotNull(q.Order[0]))
	}
	var got []projections.Row
	for q.Limit = rapid.IntRange(1, 20).Draw(rt, "limit"); ; {
		page, err := store.Select(t.Context(), v, q)
		require.NoError(rt, err)
		got = append(got, page.Rows...)
		if len(page.Rows) < q.Limit {
			break
		}
		last := page.Rows[len(page.Rows)-1]
		q.After = nil
		for _, o := range q.Order {
			q.After = append(q.After, last.Int(table.Column(o)))
		}
	}
	require.Equal(rt, want, got, "%+v", q)
}

// stored is the condition with its texts as a store keeps them.
func stored(c projections.Cond) projections.Cond {
	clean := func(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }
	if s, ok := c.Value.(string); ok {
		c.Value = clean(s)
	}
	if c.Op == projections.OpHas {
		c.Values = slices.Clone(c.Values)
		for i := range c.Values {
			c.Values[i] = clean(c.Values[i].(string))
		}
	}
	c.Any = slices.Clone(c.Any)
	for i := range c.Any {
		c.Any[i] = stored(c.Any[i])
	}
	return c
}
