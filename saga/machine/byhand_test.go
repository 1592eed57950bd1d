package machine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// TestWhatAPersonDidInPlaceOfStepsIsLeft: a person did by hand what steps were to do, and the run
// turns back later. The undos of those steps that ran take nothing of it back, and the end says so.
func TestWhatAPersonDidInPlaceOfStepsIsLeft(t *testing.T) {
	t.Parallel()
	planned := func() *domain.Node {
		return &domain.Node{Kind: domain.KindPlan, Name: "agent", Action: do("planner").Action, MaxRounds: 2, Rule: domain.RuleAsk}
	}
	const byHand = "ok agent/1/plan; plan agent x; ok agent/1/x; ok agent/2/plan; plan agent y; substitute agent; "
	for name, c := range map[string]struct {
		ops  string
		ends domain.RunState
		left []string
	}{
		"and the run turns back": {byHand + "permanent b; undone agent/2/plan; undone agent/1/x; undone agent/1/plan", domain.RunIsCompensated, []string{"agent"}},
		"and it is cancelled":    {byHand + "cancel; permanent b; undone agent/2/plan; undone agent/1/x; undone agent/1/plan", domain.RunIsCancelled, []string{"agent"}},
		"and it is abandoned":    {byHand + "permanent b; undofail agent/2/plan; tick; undofail agent/2/plan; tick; undofail agent/2/plan; abandon", domain.RunIsAbandoned, []string{"agent", "agent/1/plan", "agent/1/x", "agent/2/plan"}},
		"nothing is substituted": {"ok agent/1/plan; plan agent x; ok agent/1/x; cancel; ok agent/2/plan; undone agent/2/plan; undone agent/1/x; undone agent/1/plan", domain.RunIsCancelled, nil},
		"and the run completes":  {byHand + "ok b", domain.RunIsCompleted, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := play(t, seq(planned(), do("b")), c.ops)
			require.Equal(t, c.ends, g.S.Status(), g.Transcript())
			require.ElementsMatch(t, c.left, g.S.Left, g.Transcript())
			require.Equal(t, machine.Dump(g.Fold()), machine.Dump(g.S))
		})
	}
}
