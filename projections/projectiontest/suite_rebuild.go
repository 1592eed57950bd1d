package projectiontest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
)

// earlyRebuild asks for rebuilds while the views are built for the first time: the generation that
// a rebuild made may then be dropped as nobody's, and the rebuild has to happen all the same.
func earlyRebuild(t *testing.T, open Opener) {
	for range 4 {
		store, _ := open(t)
		log, _, _ := written(t, 7, 5)
		r := start(t, runner.Config{Source: log, Store: store})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for _, v := range builtin {
			require.NoError(t, r.Rebuild(ctx, v), "rebuild %s", v)
		}
		cancel()
		r.stop()
		if c, ok := store.(io.Closer); ok {
			require.NoError(t, c.Close())
		}
	}
}

// freshOrBehind asks for a position while an upgraded view is built anew: the old rows have reached
// it, but have another shape, and those that can answer have not.
func freshOrBehind(t *testing.T, open Opener) {
	ctx := t.Context()
	store, _ := open(t)
	v1, v2 := counter(1, nil), counter(2, nil)
	v2.Tables[0].Columns = append(v2.Tables[0].Columns, projections.Column{Name: "more", Type: projections.Int})
	at := func(p domain.Position) projections.Checkpoint { return projections.Checkpoint{Position: p, Events: 1} }
	nothing := func(projections.Tx) error { return nil }
	n := made(t, store, &v1)
	require.NoError(t, store.Update(ctx, &v1, n, projections.Checkpoint{}, at(10), nothing))
	require.NoError(t, store.Promote(ctx, &v1, n))
	next := made(t, store, &v2)
	require.NoError(t, store.Update(ctx, &v2, next, projections.Checkpoint{}, at(3), nothing))
	reader := projections.NewReader(store)
	ask := func(p domain.Position, wait time.Duration) (projections.Found, error) {
		return reader.Rows(ctx, &v2, projections.Query{Table: "counter"}, projections.Fresh{AtLeast: p, Wait: wait})
	}
	_, err := ask(10, 50*time.Millisecond)
	require.ErrorIs(t, err, projections.ErrBehind)
	asked := make(chan error, 1)
	go func() {
		page, err := ask(10, patience)
		if err == nil && page.As.Position < 10 {
			err = projections.ErrBehind
		}
		asked <- err
	}()
	require.NoError(t, store.Update(ctx, &v2, next, at(3), at(11), nothing))
	require.NoError(t, store.Promote(ctx, &v2, next))
	require.NoError(t, <-asked)
}

// firstOfTwo asks for a rebuild of a view that is not built yet: what has been built goes on to
// answer.
func firstOfTwo(t *testing.T, open Opener) {
	store, _ := open(t)
	v := counter(1, nil)
	first := made(t, store, &v)
	stands := projections.Checkpoint{Position: 10, Events: 1}
	require.NoError(t, store.Update(t.Context(), &v, first, projections.Checkpoint{}, stands, func(projections.Tx) error { return nil }))
	made(t, store, &v)
	page, err := store.Select(t.Context(), &v, projections.Query{Table: "counter"})
	require.NoError(t, err)
	require.Equal(t, stands.Position, page.As.Position)
}

// neverBack rebuilds a view again and again while runs go on: what a query has seen, a later one
// sees as well.
func neverBack(t *testing.T, open Opener) {
	store, _ := open(t)
	log, made, _ := written(t, 13, 50)
	v := counter(1, nil)
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v}, Linger: -1, Share: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wrote := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := made.Write(context.WithoutCancel(ctx), log, 1); err != nil {
				wrote <- err
				return
			}
			time.Sleep(200 * time.Microsecond) // a steady load; nothing is waited for
		}
		wrote <- nil
	}()
	rebuilt := make(chan error, 1)
	go func() {
		defer close(rebuilt)
		for range 15 {
			if err := r.Rebuild(ctx, v.Name); err != nil {
				rebuilt <- err
				return
			}
		}
	}()
	var seen domain.Position
	for busy := true; busy; {
		select {
		case err := <-rebuilt:
			require.NoError(t, err)
			busy = false
		default:
			page, err := store.Select(ctx, &v, projections.Query{Table: "counter"})
			if errors.Is(err, projections.ErrNoView) {
				continue // it is built for the first time
			}
			require.NoError(t, err)
			require.GreaterOrEqual(t, page.As.Position, seen, "a rebuild took rows back")
			seen = page.As.Position
		}
	}
	cancel()
	require.NoError(t, <-wrote)
}

// restoredLog puts an older copy of the log back: the rows are ahead of it, and a rebuild puts that
// right.
func restoredLog(t *testing.T, open Opener) {
	log, _, last := written(t, 14, 60)
	store, _ := open(t)
	v := counter(1, nil)
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{v}})
	r.reach(t, last, v.Name)
	r.stop()
	older, made, _ := written(t, 14, 20)
	r = start(t, runner.Config{Source: older, Store: store, Views: []projections.View{v}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, r.Rebuild(ctx, v.Name))
	require.Equal(t, int64(made.Events), counted(t, store, &v))
}
