package projectiontest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/projections"
)

func rowsAndPosition(t *testing.T, open Opener) {
	store, _ := open(t)
	v := counter(1, nil)
	n := made(t, store, &v)
	from, to := projections.Checkpoint{}, projections.Checkpoint{Position: 7, Events: 3}
	ctx := t.Context()
	err := store.Update(ctx, &v, n, from, to, func(tx projections.Tx) error {
		require.NoError(t, tx.Put(ctx, "counter", projections.Row{1, 3}))
		return errBroken
	})
	require.ErrorIs(t, err, errBroken)
	require.Zero(t, counted(t, store, &v))
	gens, err := store.Generations(ctx, v.Name)
	require.NoError(t, err)
	require.Len(t, gens, 1)
	require.Zero(t, gens[0].Position)

	require.NoError(t, store.Update(ctx, &v, n, from, to, func(tx projections.Tx) error {
		return tx.Put(ctx, "counter", projections.Row{1, 3})
	}))
	page, err := store.Select(ctx, &v, projections.Query{Table: "counter"})
	require.NoError(t, err)
	require.Equal(t, []projections.Row{{int64(1), int64(3)}}, page.Rows)
	require.Equal(t, to, page.As.Checkpoint)
}

func anotherPosition(t *testing.T, open Opener) {
	store, again := open(t)
	v := counter(1, nil)
	n := made(t, store, &v)
	ctx := t.Context()
	at3, at5 := projections.Checkpoint{Position: 3, Events: 3}, projections.Checkpoint{Position: 5, Events: 5}
	put := func(value int) func(projections.Tx) error {
		return func(tx projections.Tx) error { return tx.Put(ctx, "counter", projections.Row{1, value}) }
	}
	require.NoError(t, store.Update(ctx, &v, n, projections.Checkpoint{}, at3, put(3)))
	require.ErrorIs(t, again().Update(ctx, &v, n, projections.Checkpoint{}, at5, put(99)), projections.ErrSuperseded)
	require.Equal(t, int64(3), counted(t, store, &v))
	require.NoError(t, again().Update(ctx, &v, n, at3, at5, put(5)))
	require.Equal(t, int64(5), counted(t, store, &v))

	second := made(t, store, &v)
	require.Greater(t, second, n)
	require.NoError(t, store.Promote(ctx, &v, second))
	require.ErrorIs(t, store.Update(ctx, &v, n, at5, projections.Checkpoint{Position: 9}, put(9)), projections.ErrSuperseded, "a dropped generation")
	require.Zero(t, counted(t, store, &v))
}

// items has every type of column, a key of two columns and a sparse index.
func items() projections.View {
	v := counter(1, nil)
	v.Name = "items"
	v.Tables = []projections.Table{{
		Name: "items", Key: []string{"kind", "id"}, Indexes: [][]string{{"blob"}},
		Columns: []projections.Column{{Name: "kind", Type: projections.Text, Fixed: true}, {Name: "id", Type: projections.Int, Fixed: true},
			{Name: "blob", Type: projections.Bytes, Sparse: true}, {Name: "order", Type: projections.Text}},
	}}
	return v
}

func rowsReplaced(t *testing.T, open Opener) {
	store, _ := open(t)
	v := items()
	n := made(t, store, &v)
	ctx := t.Context()
	within := func(from, to int64, f func(projections.Tx)) {
		require.NoError(t, store.Update(ctx, &v, n, projections.Checkpoint{Position: uint64Pos(from)}, projections.Checkpoint{Position: uint64Pos(to)}, func(tx projections.Tx) error {
			f(tx)
			return nil
		}))
	}
	within(0, 1, func(tx projections.Tx) {
		rows := make([]projections.Row, 0, 301)
		for i := range 300 {
			rows = append(rows, projections.Row{"a", i, []byte{0, byte(i)}, nil})
		}
		require.NoError(t, tx.Put(ctx, "items", append(rows, projections.Row{"a", 7, nil, "lat\x00er \xff"})...), "the later row of one key counts")
		got, err := tx.Select(ctx, projections.Query{Table: "items", Where: []projections.Cond{projections.Eq("kind", "a"), projections.Eq("id", 7)}})
		require.NoError(t, err)
		require.Equal(t, []projections.Row{{"a", int64(7), nil, "lat\uFFFDer \uFFFD"}}, got, "a transaction sees its own rows")
		require.NoError(t, tx.Delete(ctx, "items", projections.Row{"a", 8}, projections.Row{"b", 1}))
		require.NoError(t, tx.DeleteWhere(ctx, "items", projections.Eq("kind", "a"), projections.Ge("id", 10), projections.Lt("id", 290)))
		require.Error(t, tx.Put(ctx, "items", projections.Row{"a"}), "a short row")
		require.Error(t, tx.Put(ctx, "nowhere", projections.Row{"a"}), "no such table")
		require.Error(t, tx.Put(ctx, "items", projections.Row{"a", 1.5, nil, nil}), "no such type")
	})
	page, err := store.Select(ctx, &v, projections.Query{Table: "items", Order: []string{"id"}, Desc: true, Limit: 3, After: []any{int64(291)}})
	require.NoError(t, err)
	require.Equal(t, []projections.Row{{"a", int64(290), []byte{0, 34}, nil}, {"a", int64(9), []byte{0, 9}, nil}, {"a", int64(7), nil, "lat\uFFFDer \uFFFD"}}, page.Rows)
	page, err = store.Select(ctx, &v, projections.Query{Table: "items", Where: []projections.Cond{projections.Eq("blob", []byte{0, 3})}})
	require.NoError(t, err)
	require.Len(t, page.Rows, 1)
	for _, where := range [][]projections.Cond{{projections.Null("blob")}, {projections.NotNull("order")}, {projections.In("id", 7, 7, 1000)}} {
		page, err = store.Select(ctx, &v, projections.Query{Table: "items", Where: where})
		require.NoError(t, err)
		require.Len(t, page.Rows, 1, "%v", where)
	}
	_, err = store.Select(ctx, &v, projections.Query{Table: "items", Where: []projections.Cond{projections.Eq(`id" = 0 OR 1=1 --`, 1)}})
	require.Error(t, err, "no such column")
	_, err = store.Select(ctx, &v, projections.Query{Table: "items", Order: []string{"nope"}})
	require.Error(t, err)
	page, err = store.Select(ctx, &v, projections.Query{Table: "items", Where: []projections.Cond{projections.In("id")}})
	require.NoError(t, err)
	require.Empty(t, page.Rows)
}

func wordsFound(t *testing.T, open Opener) {
	store, _ := open(t)
	v := counter(1, nil)
	v.Name = "notes"
	v.Tables = []projections.Table{{Name: "notes", Key: []string{"id"}, Words: "words",
		Columns: []projections.Column{{Name: "id", Type: projections.Int}, {Name: "words", Type: projections.Text}}}}
	n := made(t, store, &v)
	ctx := t.Context()
	texts := []string{"card_gone: Karte ABGELEHNT", "Zürich, 東京 and San José", "nothing", "it's 'quoted' \"twice\" & | ! ( ) : * \\", "AND or NOT near"}
	put := func(from, to int64, rows ...projections.Row) {
		require.NoError(t, store.Update(ctx, &v, n, projections.Checkpoint{Position: uint64Pos(from)}, projections.Checkpoint{Position: uint64Pos(to)},
			func(tx projections.Tx) error { return tx.Put(ctx, "notes", rows...) }))
	}
	rows := make([]projections.Row, 0, len(texts)+1)
	for i, text := range texts {
		rows = append(rows, projections.Row{i, projections.Words(text)})
	}
	put(0, 1, append(rows, projections.Row{99, nil})...)
	find := func(text string) (ids []int64) {
		page, err := store.Select(ctx, &v, projections.Query{Table: "notes", Where: []projections.Cond{projections.Match(text)}, Order: []string{"id"}})
		require.NoError(t, err, text)
		for _, r := range page.Rows {
			ids = append(ids, r[0].(int64))
		}
		return ids
	}
	for text, want := range map[string][]int64{
		"abgel": {0}, "card gone": {0}, "gone CARD": {0}, "gone nothing": nil, "one": nil, "ZÜRI": {1}, "東": {1}, "jos": {1},
		"twice": {3}, "and": {1, 4}, "near not": {4}, "it's": {3}, "&|!()*": {0, 1, 2, 3, 4, 99}, "'; DROP TABLE": nil,
	} {
		require.Equal(t, want, find(text), "%q", text)
	}
	put(1, 2, projections.Row{2, projections.Words("changed")}, projections.Row{0, nil}, projections.Row{99, projections.Words("appeared")})
	require.Nil(t, find("nothing"))
	require.Nil(t, find("card"))
	require.Equal(t, []int64{2}, find("chang"))
	require.Equal(t, []int64{99}, find("appeared"))

	// Rows that are deleted take their words with them; so do those that are put anew.
	change := func(from, to int64, f func(projections.Tx) error) {
		require.NoError(t, store.Update(ctx, &v, n, projections.Checkpoint{Position: uint64Pos(from)}, projections.Checkpoint{Position: uint64Pos(to)}, f))
	}
	change(2, 3, func(tx projections.Tx) error {
		return errors.Join(tx.Delete(ctx, "notes", projections.Row{99}, projections.Row{77}), tx.DeleteWhere(ctx, "notes", projections.Eq("id", 1)))
	})
	require.Nil(t, find("appeared"))
	require.Nil(t, find("zürich"))
	put(3, 4, projections.Row{99, projections.Words("again")}, projections.Row{1, nil})
	require.Nil(t, find("appeared"))
	require.Equal(t, []int64{99}, find("again"))

	// More words with one beginning than are looked for one by one, some of them in one row.
	rows = rows[:0]
	for i := range 100 {
		rows = append(rows, projections.Row{1000 + i, projections.Words(fmt.Sprintf("item%d item%d common", i, i+1))})
	}
	put(4, 5, rows...)
	require.Len(t, find("item"), 100)
	require.Len(t, find("common item"), 100)
	require.Equal(t, []int64{1099}, find("common item99 item100"))
	require.Equal(t, []int64{1008, 1009, 1089, 1090, 1091, 1092, 1093, 1094, 1095, 1096, 1097, 1098, 1099}, find("item9"), "each row once")
	page, err := store.Select(ctx, &v, projections.Query{Table: "notes", Where: []projections.Cond{projections.Match("item")}, Order: []string{"id"}, Desc: true, After: []any{int64(1050)}, Limit: 2})
	require.NoError(t, err)
	require.Len(t, page.Rows, 2)
	require.Equal(t, int64(1049), page.Rows[0][0])
}
