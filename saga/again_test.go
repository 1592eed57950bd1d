package saga_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestEndedRunIsStartedAgain: once for each request, with its own key, and both runs tell of it.
func TestEndedRunIsStartedAgain(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		s := chain("order", r.act("a"))
		c := r.begin(saga.Config{}, s)
		ctx := saga.WithActor(r.t.Context(), "ada")
		old := start(r.t, c, s, "x", saga.Key("4711"), saga.Labels(map[string]string{"tenant": "acme"}))
		_, err := finished(r.t, old)
		require.NoError(r.t, err)
		id, err := c.StartAgain(ctx, old.ID, saga.Again{})
		require.NoError(r.t, err)
		require.NotEqual(r.t, old.ID, id)
		twice, err := c.StartAgain(ctx, old.ID, saga.Again{})
		require.NoError(r.t, err)
		require.Equal(r.t, id, twice, "a request that is made twice starts one run")
		_, err = c.StartAgain(ctx, old.ID, saga.Again{Input: json.RawMessage(`"y"`)})
		require.ErrorIs(r.t, err, saga.ErrKeyConflict)
		edited, err := c.StartAgain(ctx, old.ID, saga.Again{Input: json.RawMessage(`"y"`), Key: "4712", Labels: map[string]string{}})
		require.NoError(r.t, err)
		for run, want := range map[domain.RunID]string{id: "xa", edited: "ya"} {
			out, err := finished(r.t, saga.RunOf[string](c, run))
			require.NoError(r.t, err)
			require.Equal(r.t, want, out)
		}
		v, err := c.Describe(ctx, id)
		require.NoError(r.t, err)
		require.Equal(r.t, old.ID, v.AgainOf)
		require.Equal(r.t, "4711~again", v.Key)
		require.Equal(r.t, "acme", v.Labels["tenant"])
		require.Equal(r.t, "ada", v.Actor)
		v, err = c.Describe(ctx, edited)
		require.NoError(r.t, err)
		require.Empty(r.t, v.Labels)
		from, err := c.StartedFrom(ctx, old.ID)
		require.NoError(r.t, err)
		require.Equal(r.t, []domain.RunID{id, edited}, from)
	})
}

// TestOnlyWhatEndedIsStartedAgain: a run that goes on is not, nor one that is unknown; a single
// action is.
func TestOnlyWhatEndedIsStartedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		a := r.act("a")
		waits := saga.Define("waits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") })
		c := r.begin(saga.Config{}, waits, chain("order", a))
		run := start(t, c, waits, "")
		_, err := c.StartAgain(t.Context(), run.ID, saga.Again{})
		require.ErrorIs(t, err, saga.ErrNotEnded)
		require.ErrorContains(t, err, "it is running: cancel it first")
		_, err = c.StartAgain(t.Context(), domain.NewRunID(), saga.Again{})
		require.ErrorIs(t, err, saga.ErrNotFound)
		single, err := c.InvokeByName(t.Context(), "a", json.RawMessage(`"x"`))
		require.NoError(t, err)
		_, err = c.Wait(t.Context(), single)
		require.NoError(t, err)
		for _, bad := range []saga.Again{{Input: json.RawMessage(`{`)}, {Input: json.RawMessage(`{"a":1}`)}, {Key: "a\nb"}, {Labels: map[string]string{"": "x"}}} {
			_, err = c.StartAgain(t.Context(), single, bad)
			require.ErrorIs(t, err, saga.ErrBadInput)
		}
		from, err := c.StartedFrom(t.Context(), single)
		require.NoError(t, err)
		require.Empty(t, from)
		again, err := c.StartAgain(t.Context(), single, saga.Again{})
		require.NoError(t, err)
		out, err := c.Wait(t.Context(), again)
		require.NoError(t, err)
		require.JSONEq(t, `"xa"`, string(out))
	})
}

// TestOnceMakesAStartWithoutAKeyIdempotent, for sagas and single actions, and no run shows it; a
// key counts for more.
func TestOnceMakesAStartWithoutAKeyIdempotent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.New())
		a := r.act("a")
		s := chain("order", a)
		c := r.begin(saga.Config{}, s)
		first := start(t, c, s, "x", saga.Once("form-1"))
		require.Equal(t, first.ID, start(t, c, s, "x", saga.Once("form-1")).ID)
		_, err := saga.Start(t.Context(), c, s, "y", saga.Once("form-1"))
		require.ErrorIs(t, err, saga.ErrKeyConflict)
		v, err := c.Describe(t.Context(), first.ID)
		require.NoError(t, err)
		require.Empty(t, v.Key)
		require.NotEqual(t, first.ID, start(t, c, s, "x", saga.Once("form-2")).ID)
		require.NotEqual(t, first.ID, start(t, c, s, "x", saga.Once("")).ID)
		require.NotEqual(t, first.ID, start(t, c, s, "x", saga.Key("form-1")).ID)
		keyed := start(t, c, s, "x", saga.Key("k"), saga.Once("form-3"))
		require.Equal(t, keyed.ID, start(t, c, s, "x", saga.Key("k"), saga.Once("form-4")).ID)
		one, err := c.InvokeByName(t.Context(), "a", json.RawMessage(`"x"`), saga.Once("form-1"))
		require.NoError(t, err)
		two, err := c.InvokeByName(t.Context(), "a", json.RawMessage(`"x"`), saga.Once("form-1"))
		require.NoError(t, err)
		require.Equal(t, one, two)
		_, err = saga.Start(t.Context(), c, s, "x", saga.Once("a\x00b"))
		require.ErrorIs(t, err, saga.ErrBadInput)
	})
}
