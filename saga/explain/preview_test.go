package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

func TestAPreviewTellsTheUndoStepByStep(t *testing.T) {
	t.Parallel()
	post := do("post")
	post.Action.Effect, post.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	post.Rule = domain.RuleForward
	accepted := do("mail")
	accepted.Action.Effect, accepted.Action.UndoRetry, accepted.Accepted = domain.EffectIrreversible, domain.RetryPolicy{}, "one mail too many does no harm"
	look := do("look")
	look.Action.Effect, look.Action.UndoRetry = domain.EffectNone, domain.RetryPolicy{}
	both := &domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(do("b")), seq(do("c"))}}
	child := &domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}
	probed := do("p")
	probed.Action.Probe = true
	for name, c := range map[string]struct {
		root *domain.Node
		ops  string
		want string // lines "wave move step"
		ends domain.RunState
	}{
		"in reverse":                    {seq(do("a"), do("b"), do("c")), "ok a; ok b", "1 await c; 2 undo c; 3 undo b; 4 undo a", domain.RunIsCancelled},
		"siblings at once":              {seq(do("a"), both, do("d")), "ok a; ok b; ok c; permanent d", "1 undo c; 1 undo b; 2 undo a", domain.RunIsCompensated},
		"what has no effect":            {seq(look, do("a"), do("b")), "ok look; ok a; pause", "1 await b; 2 undo b; 3 undo a", domain.RunIsCancelled},
		"a child":                       {seq(child, do("b")), "child child completed", "1 await b; 2 undo b; 3 undo child child", domain.RunIsCancelled},
		"what is in doubt":              {seq(do("a")), "timeout a", "1 undo a", domain.RunIsCancelled},
		"a retry that is in doubt":      {seq(do("a"), do("b")), "ok a; fail b", "1 undo b; 2 undo a", domain.RunIsCancelled},
		"a probe that was not asked":    {seq(probed), "fail p", "1 probe p; 2 undo p", domain.RunIsCancelled},
		"a probe that is to be retried": {seq(probed), "timeout p; probefail p", "1 probe p; 2 undo p", domain.RunIsCancelled},
		"a probe first":                 {seq(probed), "timeout p", "1 probe p; 2 undo p", domain.RunIsCancelled},
		"what is left":                  {seq(accepted, do("b")), "ok mail; nothing b", "1 leave mail", domain.RunIsCancelled},
		"a failed undo's next try":      {seq(do("a"), do("b")), "ok a; permanent b; undofail a", "1 undo a", domain.RunIsCompensated},
		"a stuck undo":                  {seq(do("a"), do("b"), do("c")), "ok a; ok b; permanent c; undofail b; tick; undofail b; tick; undofail b", "1 stuck b; 1 undo b; 2 undo a", domain.RunIsCompensated},
		"a run that waits for nobody":   {seq(do("a"), do("b")), "ok a; nothing b", "1 undo a", domain.RunIsCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := play(t, c.root, c.ops)
			p := explain.PreviewCancel(g.S, g.Now)
			require.Equal(t, c.want, lines(&p))
			require.Equal(t, c.ends, p.Ends)
			require.Empty(t, p.Refused)
		})
	}
	p := explain.PreviewCancel(play(t, seq(do("a"), post), "ok a").S, newStage(t, seq(do("a"))).Now)
	require.True(t, p.Pending, "an irreversible attempt in flight is awaited")
	require.Equal(t, "1 await post", lines(&p))
	p = explain.PreviewCancel(play(t, seq(&domain.Node{Kind: domain.KindPivot, Name: "pivot"}, do("b")), "").S, newStage(t, seq(do("a"))).Now)
	require.Equal(t, machine.ErrPastPivot.Error(), p.Refused)
	p = explain.PreviewCancel(play(t, seq(do("a")), "ok a").S, newStage(t, seq(do("a"))).Now)
	require.Contains(t, p.Refused, machine.ErrEnded.Error())
}

// What the preview says is what a cancel then does, when every attempt succeeds.
func TestAPreviewComesTrue(t *testing.T) {
	t.Parallel()
	root := seq(do("a"), &domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(do("b"), do("c")), seq(do("d"))}}, do("e"))
	g := play(t, root, "ok a; ok b; ok d; ok c")
	p := explain.PreviewCancel(g.Fold(), g.Now)
	g.Happens("cancel")
	var undone []string
	for range 20 {
		var next machine.Attempt
		g.S.InFlight(func(a machine.Attempt) {
			if next.Step == nil {
				next = a
			}
		})
		if next.Step == nil {
			break
		}
		if next.Direction == domain.Undo {
			undone = append(undone, next.Step.Path)
			g.Happens("undone " + next.Step.Path)
		} else {
			g.Happens("ok " + next.Step.Path)
		}
	}
	var foretold []string
	for _, st := range p.Steps {
		if st.Do == explain.MoveUndo {
			foretold = append(foretold, st.Step)
		}
	}
	require.ElementsMatch(t, foretold, undone)
	require.Equal(t, foretold[0], undone[0])
	require.Equal(t, "a", undone[len(undone)-1])
	require.Equal(t, p.Ends, g.S.Status())
}

func lines(p *explain.Preview) string {
	var out []string
	for _, st := range p.Steps {
		out = append(out, fmt.Sprintf("%d %s %s", st.Wave, st.Do, st.Step))
	}
	return strings.Join(out, "; ")
}
