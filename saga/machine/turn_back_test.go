package machine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// TestAbandonedChildIsLeftBehind: a person closed the child with its effects, so its parent says
// so.
func TestAbandonedChildIsLeftBehind(t *testing.T) {
	t.Parallel()
	child := &domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}
	g := play(t, seq(do("a"), child), "ok a; child child abandoned; undone a")
	require.Equal(t, domain.RunIsCompensated, g.S.Status())
	require.Equal(t, []string{"child"}, g.S.Left)
}

// TestPivotWaitsForACancelThatWaits: a branch that comes to its pivot does not take from a person
// the cancel that waits for another branch.
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
		require.Equal(t, want, g.S.Status(), "%s\n%s", ops, g.Transcript())
	}
}

// TestItemIsUndoneForItsOwnCause: the undo of an item that an each does without is told why that
// item failed.
func TestItemIsUndoneForItsOwnCause(t *testing.T) {
	t.Parallel()
	each := &domain.Node{Kind: domain.KindEach, Name: "ship", Children: []*domain.Node{seq(do("label"), do("send"))}, Tolerate: 1}
	g := play(t, seq(each, do("b")), "items ship 2; ok ship/0/label; permanent ship/0/send")
	st := g.S.Step("ship/0/label")
	require.Equal(t, machine.Undoing, st.Phase)
	require.Equal(t, "never", g.S.UndoCause(st).Message)
	g.Happens("undone ship/0/label")
	g.Happens("ok ship/1/label")
	g.Happens("cancel")
	g.Happens("permanent ship/1/send")
	require.Equal(t, domain.FailureCancelled, g.S.UndoCause(g.S.Step("ship/1/label")).Kind)
}
