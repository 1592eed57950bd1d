package explain_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// TestLeversSayWhatCanBeDoneAndWhyNot: the reasons are those with which the machine would refuse.
func TestLeversSayWhatCanBeDoneAndWhyNot(t *testing.T) {
	t.Parallel()
	await := &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &domain.AwaitSpec{Signal: "paid"}}
	pivot := &domain.Node{Kind: domain.KindPivot, Name: "pivot"}
	all := []explain.Act{explain.ActAbandon, explain.ActCancel, explain.ActPause, explain.ActResume, explain.ActRetry, explain.ActSignal, explain.ActSkip, explain.ActSubstitute}
	for name, c := range map[string]struct {
		root *domain.Node
		ops  string
		can  []explain.Act
		why  map[explain.Act]string
	}{
		"at work": {seq(do("a")), "", []explain.Act{explain.ActAbandon, explain.ActCancel, explain.ActPause},
			map[explain.Act]string{explain.ActSignal: "no step that the run may still come to awaits a signal", explain.ActRetry: "no step of the run is stuck", explain.ActResume: "the run is not paused"}},
		"paused": {seq(do("a")), "pause", []explain.Act{explain.ActAbandon, explain.ActCancel, explain.ActResume},
			map[explain.Act]string{explain.ActPause: "the run is paused already"}},
		"stuck forward": {seq(ruled("a", domain.RuleAsk)), "permanent a", []explain.Act{explain.ActAbandon, explain.ActCancel, explain.ActPause, explain.ActRetry, explain.ActSkip, explain.ActSubstitute}, nil},
		"stuck in its undo": {seq(do("a"), do("b")), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a",
			[]explain.Act{explain.ActAbandon, explain.ActPause, explain.ActRetry, explain.ActSkip},
			map[explain.Act]string{explain.ActCancel: "the run is already being undone", explain.ActSubstitute: "the step is stuck in its undo, which has no output"}},
		"past the pivot": {seq(pivot, do("b")), "", []explain.Act{explain.ActAbandon, explain.ActPause},
			map[explain.Act]string{explain.ActCancel: "the run is past its pivot and can only go forward"}},
		"ended":                     {seq(do("a")), "ok a", nil, map[explain.Act]string{explain.ActCancel: "the run has ended: it is completed", explain.ActSignal: "the run has ended: it is completed"}},
		"signals at another moment": {seq(do("a"), await), "", []explain.Act{explain.ActAbandon, explain.ActCancel, explain.ActPause, explain.ActSignal}, nil},
		"turned back": {seq(do("a"), await, do("b")), "ok a; cancel", []explain.Act{explain.ActAbandon, explain.ActPause},
			map[explain.Act]string{explain.ActSignal: "the run is turning back: no step will take a signal"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := play(t, c.root, c.ops)
			why := explain.Why(g.S, g.Now)
			var can, listed []explain.Act
			for _, l := range why.Levers {
				listed = append(listed, l.Act)
				if l.Off == "" {
					can = append(can, l.Act)
				}
			}
			slices.Sort(can)
			slices.Sort(listed)
			require.Equal(t, all, listed, "each act is listed, possible or not")
			require.Equal(t, c.can, can)
			for act, off := range c.why {
				require.Equal(t, off, why.Lever(act).Off, act)
			}
		})
	}
	g := play(t, seq(await), "")
	why := explain.Why(g.S, g.Now)
	require.Equal(t, []string{"paid"}, why.Lever(explain.ActSignal).Names)
	g = play(t, seq(ruled("a", domain.RuleAsk)), "permanent a")
	why = explain.Why(g.S, g.Now)
	require.Equal(t, []string{"a"}, why.Lever(explain.ActSubstitute).Steps)
}

// TestLeversOfAPersonWhoMayNot: what the run allows is not what the person may do.
func TestLeversOfAPersonWhoMayNot(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("a"), &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &domain.AwaitSpec{Signal: "paid"}}), "")
	levers := explain.Levers(g.S, g.Now)
	for _, l := range explain.Permit(levers, false, false) {
		require.Contains(t, l.Off, "your token lacks the scope", l.Act)
	}
	for _, l := range explain.Permit(levers, false, true) {
		require.Equal(t, l.Act == explain.ActSignal, l.Off == "", l.Act)
	}
	require.Empty(t, explain.Levers(g.S, g.Now)[4].Off)
	require.Equal(t, levers, explain.Permit(levers, true, true))
}
