package machine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestAbandonedChildIsLeftBehind: a person closed the child with its effects, so its parent says so.
func TestAbandonedChildIsLeftBehind(t *testing.T) {
	t.Parallel()
	child := &domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}
	g := play(t, seq(do("a"), child), "ok a; child child abandoned; undone a")
	require.Equal(t, domain.RunIsCompensated, g.s.Status())
	require.Equal(t, []string{"child"}, g.s.Left)
}

// TestPivotWaitsForACancelThatWaits: a branch that comes to its pivot does not take from a person the cancel that
// waits for another branch.
func TestPivotWaitsForACancelThatWaits(t *testing.T) {
	t.Parallel()
	post := do("post")
	post.Action.Effect, post.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	post.Rule = domain.RuleForward
	both := &domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(post), seq(do("b"), &domain.Node{Kind: domain.KindPivot, Name: "pivot"})}}
	for ops, want := range map[string]domain.RunState{
		"cancel; ok b; permanent post; undone b": domain.RunIsCancelled,
		"cancel; ok b; ok post":                  domain.RunIsCompleted,
	} {
		g := play(t, seq(both), ops)
		require.Equal(t, want, g.s.Status(), "%s\n%s", ops, g.out.String())
	}
}
