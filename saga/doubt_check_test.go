package saga

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/machine"
)

// word is a map key that is written as text and not read back.
type word struct{ s string }

func (w word) MarshalText() ([]byte, error) { return []byte(w.s), nil }

// TestTypesThatDontComeBackAreRefused where it can be seen: by Define, and where an action is
// registered by itself.
func TestTypesThatDontComeBackAreRefused(t *testing.T) {
	t.Parallel()
	t.Run("an error", refusedOutput[struct{ Err error }]("interface"))
	t.Run("an interface, deep", refusedOutput[[]map[string]*struct{ S fmt.Stringer }]("interface"))
	t.Run("itself an error", refusedOutput[error]("interface"))
	t.Run("a function", refusedOutput[struct{ F func() }]("func()"))
	t.Run("a channel", refusedOutput[map[string]chan int]("chan int"))
	t.Run("no field that JSON sees", refusedOutput[struct{ id string }]("capital letters"))
	t.Run("no field that JSON sees, behind a pointer", refusedOutput[**struct{ id, name string }]("capital letters"))
	t.Run("a key that is only written", refusedOutput[map[word]int]("UnmarshalText"))
	for what, ok := range map[string]bool{
		"any":       fine[any](),
		"raw":       fine[json.RawMessage](),
		"time":      fine[struct{ At time.Time }](),
		"failure":   fine[domain.Failure](),
		"recursive": fine[struct{ Next *domain.FailureReport }](),
		"left out": fine[struct {
			Err error `json:"-"`
		}](),
		"nothing": fine[struct{}](),
		"some fields of its own": fine[struct {
			ID string
			at time.Time
		}](),
		"embedded":   fine[struct{ domain.Failure }](),
		"own writer": fine[struct{ P machine.Phase }](),
	} {
		require.True(t, ok, what)
	}
}

func fine[T any]() bool {
	a := &Action[int, T]{Name: "a", Effect: NoEffect, Do: func(context.Context, int) (v T, err error) { return v, nil }}
	s := Define("s", 1, func(f *Flow, in Ref[int]) Ref[T] { return Do(f, a, in.In) })
	r := definition.NewRegistry()
	return s.Err() == nil && addAction(r, a) == nil
}

func refusedOutput[Out any](why string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		a := &Action[int, Out]{Name: "a", Effect: NoEffect, Do: func(context.Context, int) (v Out, err error) { return v, nil }}
		s := Define("s", 1, func(f *Flow, in Ref[int]) Ref[None] { Do(f, a, in.In); return Ref[None]{} })
		require.ErrorContains(t, s.Err(), why)
		r := definition.NewRegistry()
		require.ErrorContains(t, addAction(r, a), why)
	}
}

// TestIrreversibleDoubtIsRefusedWhereItTurnsTheRunBack, and nowhere else.
func TestIrreversibleDoubtIsRefusedWhereItTurnsTheRunBack(t *testing.T) {
	t.Parallel()
	do := func(_ context.Context, in string) (string, error) { return in, nil }
	letter := &Action[string, string]{Name: "letter", Effect: Irreversible, Do: do}
	clean, asked := other(letter), other(letter)
	clean.FailsCleanly = true
	asked.Probe = func(context.Context, string) (Probed[string], error) { return Unknown[string](), nil }
	for name, test := range map[string]struct {
		a       *Action[string, string]
		opts    []DoOption
		refused bool
	}{
		"by default":             {letter, nil, true},
		"backward, outright":     {letter, []DoOption{OnFail(Backward)}, true},
		"forward":                {letter, []DoOption{OnFail(Forward)}, false},
		"ask":                    {letter, []DoOption{OnFail(Ask)}, false},
		"ignore":                 {letter, []DoOption{OnFail(Ignore)}, false},
		"fails cleanly":          {clean, nil, false},
		"has a probe":            {asked, nil, false},
		"its doubt is accepted":  {letter, []DoOption{AcceptDoubt("nobody can ask")}, false},
		"its effect may be left": {letter, []DoOption{AcceptIrreversible("it does no harm")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Define("s", 1, func(f *Flow, in Ref[string]) Ref[string] { return Do(f, test.a, in.In, test.opts...) })
			if !test.refused {
				require.NoError(t, s.Err())
				return
			}
			require.ErrorContains(t, s.Err(), "nothing can tell whether it took effect")
		})
	}
	past := Define("s", 1, func(f *Flow, in Ref[string]) Ref[string] { Pivot(f); return Do(f, letter, in.In) })
	require.NoError(t, past.Err(), "past the pivot it is retried")
	accepted := Define("s", 1, func(f *Flow, in Ref[string]) Ref[string] { return Do(f, letter, in.In, AcceptDoubt("nobody can ask")) })
	plan, err := accepted.Plan()
	require.NoError(t, err)
	require.Equal(t, "nobody can ask", plan.Root.Children[0].Doubt)
	hash := plan.Hash()
	plan.Root.Children[0].Doubt = ""
	require.NoError(t, plan.Index())
	require.Equal(t, hash, plan.Hash(), "it can be added to a saga that has runs")
	one := Define("s", 1, func(f *Flow, in Ref[string]) Ref[string] { return Do(f, echo, in.In, AcceptDoubt("why not")) })
	require.ErrorContains(t, one.Err(), "nothing to accept")
	none := Define("s", 1, func(f *Flow, in Ref[string]) Ref[string] { return Do(f, letter, in.In, AcceptDoubt(" ")) })
	require.ErrorContains(t, none.Err(), "needs a reason")
	r := definition.NewRegistry()
	require.NoError(t, addAction(r, letter), "invoked by itself it may end stuck")
}
