package explain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

// TestASignalThatNoStepWillTakeIsRefused with those that a step still may.
func TestASignalThatNoStepWillTakeIsRefused(t *testing.T) {
	t.Parallel()
	await := func(signal string) *domain.Node {
		return &domain.Node{Kind: domain.KindAwait, Name: signal, Await: &domain.AwaitSpec{Signal: signal}}
	}
	choice := &domain.Node{Kind: domain.KindSwitch, Name: "if", Cases: []string{"yes", "no"}, Children: []*domain.Node{seq(await("approved")), seq(do("x"), await("declined"))}}
	each := &domain.Node{Kind: domain.KindEach, Name: "each", Children: []*domain.Node{seq(await("packed"))}}
	root := seq(choice, each, await("paid"))
	for _, c := range []struct {
		ops         string
		now, later  []string
		refused     string
		mayStillBe  string
		thenNoError string
	}{
		{"", nil, []string{"approved", "declined", "packed", "paid"}, "nonsense", "it awaits approved, declined, packed, paid", "approved"},
		{"choose if 1", nil, []string{"declined", "packed", "paid"}, "approved", "it may still await declined, packed, paid", "declined"},
		{"choose if 1; ok x", []string{"declined"}, []string{"packed", "paid"}, "approved", "it may still await declined, packed, paid", "declined"},
		{"choose if 1; ok x; signal declined 1", nil, []string{"packed", "paid"}, "declined", "it may still await packed, paid", "packed"},
		{"choose if 1; ok x; signal declined 1; items each 2", []string{"packed"}, []string{"paid"}, "declined", "it may still await packed, paid", "packed"},
		{"choose if 1; ok x; signal declined 1; items each 0", []string{"paid"}, nil, "packed", "it may still await paid", "paid"},
		{"choose if 0; cancel", nil, nil, "paid", "no step that it may still come to awaits a signal", ""},
	} {
		g := play(t, root, c.ops)
		why := explain.Why(g.S, g.Now)
		lever := why.Lever(explain.ActSignal)
		require.Equal(t, c.now, lever.Names, c.ops)
		require.Equal(t, c.later, lever.Later, c.ops)
		err := explain.CheckSignal(g.S, machine.Signal{Name: c.refused, ID: "2"})
		require.ErrorIs(t, err, domain.ErrBadInput, c.ops)
		require.ErrorContains(t, err, c.mayStillBe, c.ops)
		if c.thenNoError != "" {
			require.NoError(t, explain.CheckSignal(g.S, machine.Signal{Name: c.thenNoError, ID: "2"}), c.ops)
		}
	}
	g := play(t, root, "choose if 1; ok x; signal declined 1")
	require.NoError(t, explain.CheckSignal(g.S, machine.Signal{Name: "declined", ID: "1"}), "a repeat is nothing")
}
