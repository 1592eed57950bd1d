package machine

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

func TestWhyTellsWhatARunWaitsFor(t *testing.T) {
	t.Parallel()
	probed := do("charge")
	probed.Action.Probe = true
	post := do("post")
	post.Action.Effect, post.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	post.Rule = domain.RuleForward
	await := func(spec domain.AwaitSpec) *domain.Node {
		return &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &spec}
	}
	child := &domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}
	both := &domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(do("a")), seq(do("b"))}}
	for name, c := range map[string]struct {
		root *domain.Node
		ops  string
		want string
	}{
		"an attempt":                    {seq(do("ship")), "", "ship: attempt 1 runs for 2s, at most until 03:04:15 (in 8s)"},
		"a retry":                       {seq(do("ship")), "fail ship", "ship: attempt 2 at 03:04:06 (due) after not now"},
		"a retry after a timeout":       {seq(do("ship")), "timeout ship", "ship: attempt 2 at 03:04:17 (due) after no outcome by 2026-01-02T03:04:15Z"},
		"a probe":                       {seq(probed), "timeout charge", "charge: probe 1 runs for 2s, at most until 03:04:26 (in 8s)"},
		"the most telling of two":       {seq(both), "fail b", "b: attempt 2 at 03:04:06 (due) after not now (and 1 more)"},
		"a signal":                      {seq(await(domain.AwaitSpec{Signal: "paid"})), "", "go: waits for signal paid"},
		"a signal, not for ever":        {seq(await(domain.AwaitSpec{Signal: "paid", Timeout: domain.Duration(time.Hour)})), "", "go: waits for signal paid, at most until 04:04:05 (in 59m58s)"},
		"an event":                      {seq(await(domain.AwaitSpec{Event: "order.paid"})), "", "go: waits for event order.paid"},
		"a sleep":                       {seq(&domain.Node{Kind: domain.KindSleep, Name: "rest"}), "sleep rest", "rest: sleeps until 04:04:05 (in 59m58s)"},
		"a child":                       {seq(child), "", "child: waits for child run "},
		"a child's undo":                {seq(child, do("b")), "child child completed; permanent b", "undo of child: waits for child run "},
		"a pause":                       {seq(do("ship")), "pause", "paused: wait; resume it to go on"},
		"an undo":                       {seq(do("a"), do("b")), "ok a; permanent b", "undo of a: attempt 1 runs for 2s, at most until 03:04:15 (in 8s)"},
		"an undo's retry":               {seq(do("a"), do("b")), "ok a; permanent b; undofail a", "undo of a: attempt 2 at 03:04:06 (due) after no"},
		"a person, for an undo":         {seq(do("a"), do("b")), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a", "stuck: undo of a failed 3 times: no; retry, skip the undo, or abandon the run"},
		"a person, going forward":       {seq(ruled("a", domain.RuleAsk)), "permanent a", "stuck: a failed: never; retry, skip, substitute its output, cancel or abandon the run"},
		"a person, past the pivot":      {seq(&domain.Node{Kind: domain.KindPivot, Name: "pivot"}, do("b")), "permanent b", "stuck: b failed: never; retry, skip, substitute its output, or abandon the run"},
		"a person before what is under": {seq(&domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(do("a")), seq(ruled("b", domain.RuleAsk))}}), "permanent b", "stuck: b failed: never; retry, skip, substitute its output, cancel or abandon the run (and 1 more)"},
		"a cancel that waits":           {seq(do("a"), post), "ok a; cancel", "post: attempt 1 runs for 2s, at most until 03:04:15 (in 8s); a cancel waits until it is known whether post took effect, because it can't be undone"},
		"a cancel held up by a doubt":   {seq(do("a"), post), "ok a; fail post; cancel", "post: attempt 2 at 03:04:06 (due) after not now; a cancel waits until it is known whether post took effect, because it can't be undone"},
		"a doubt that is stuck":         {seq(do("a"), post), "ok a; fail post; tick; fail post; tick; fail post", "stuck: post failed 3 times: not now; it may have happened: find out, and substitute its output if it did, skip or retry it if not, or abandon the run"},
		"a cancel, and a stuck doubt":   {seq(do("a"), post), "ok a; fail post; tick; fail post; tick; fail post; cancel", "stuck: post failed 3 times: not now; it may have happened: find out, and substitute its output if it did, skip or retry it if not, or abandon the run; a cancel waits until it is known whether post took effect, because it can't be undone"},
		"a doubt that can be undone":    {seq(ruled("a", domain.RuleAsk)), "fail a; tick; fail a; tick; fail a", "stuck: a failed 3 times: not now; it may have happened: retry, skip, substitute its output, cancel or abandon the run"},
		"a probe's retry":               {seq(probed), "timeout charge; probefail charge", "charge: probe 2 at 03:04:17 (due) after nobody answers"},
		"an undo of what came late":     {seq(do("a")), "timeout a; cancel; undone a; late a 1", "cancelled at 2026-01-02T03:04:16Z, because changed my mind; an effect came after that: undo of a: attempt 2 runs for 2s, at most until 03:04:26 (in 8s)"},
		"what came late, and is stuck":  {seq(do("a")), "timeout a; cancel; undone a; late a 1; undofail a; tick; undofail a; tick; undofail a", "stuck: undo of a failed 3 times: no; the run had ended cancelled before this effect came late; retry, skip the undo, or abandon the run"},
		"what turned back":              {seq(do("a")), "cancel", "a: attempt 1 runs for 2s, at most until 03:04:15 (in 8s); the run turned back, so its outcome is undone"},
		"nothing: it completed":         {seq(do("a")), "ok a", "completed at 2026-01-02T03:04:05Z"},
		"nothing: it was undone":        {seq(do("a"), do("b")), "ok a; permanent b; undone a", "compensated at 2026-01-02T03:04:05Z, because b: never"},
		"nothing: it was abandoned":     {seq(do("a"), do("b")), "ok a; abandon", "abandoned at 2026-01-02T03:04:05Z with effects left: a, b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t, c.root)
			for op := range strings.SplitSeq(c.ops, "; ") {
				if op != "" {
					g.happens(op)
				}
			}
			before := dump(g.s)
			r := Why(g.s, g.now.Add(2*time.Second))
			require.Equal(t, before, dump(g.s), "asking changes nothing")
			if strings.HasSuffix(c.want, " ") {
				require.True(t, strings.HasPrefix(r.Text, c.want), r.Text)
			} else {
				require.Equal(t, c.want, r.Text)
			}
			require.Equal(t, g.s.Status(), r.State)
		})
	}
}

// TestWhyTellsOfADeadlineThatADoubtHoldsUp: the run would turn back if it were known that nothing happened.
func TestWhyTellsOfADeadlineThatADoubtHoldsUp(t *testing.T) {
	t.Parallel()
	post := do("post")
	post.Action.Effect, post.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	g := newStage(t, seq(do("a"), post))
	g.s.Start.Deadline = g.now.Add(2 * time.Second)
	for _, op := range []string{"ok a", "fail post", "tick", "fail post", "tick", "tick", "fail post"} {
		g.happens(op)
	}
	g.tell(Tick{})
	require.Equal(t, domain.RunIsStuck, g.s.Status())
	require.Contains(t, Why(g.s, g.now).Text, "the run's deadline, which passed at 03:04:07, waits until it is known whether post took effect")
	g.happens("skip post")
	g.tell(Tick{})
	require.Equal(t, domain.RunCompensating, g.s.Status())
	require.Equal(t, domain.FailureDeadline, g.s.Cause.Kind)
}

func TestWhySaysThatNobodyHasTheAction(t *testing.T) {
	t.Parallel()
	g := newStage(t, seq(do("a"), do("b")))
	g.record(&domain.AttemptSucceeded{Step: "a", Direction: domain.Do, Attempt: 1, Output: json.RawMessage(`1`)})
	g.record(&domain.RunBlocked{Reason: `no worker here has the action "b": deploy a program that does`})
	require.Equal(t, `blocked since 03:04:05: no worker here has the action "b": deploy a program that does`, Why(g.s, g.now).Text)
}

func TestPhasesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for p := Idle; p <= ProbeBackoff; p++ {
		text, err := p.MarshalText()
		require.NoError(t, err)
		var got Phase
		require.NoError(t, got.UnmarshalText(text))
		require.Equal(t, p, got)
	}
	require.Error(t, new(Phase).UnmarshalText([]byte("lost")))
}

// At every moment of a random run there is a sentence, and a preview that comes to an end.
func TestEveryStateCanBeExplainedAndPreviewed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := newSim(t, 10)
		for range rapid.IntRange(0, 40).Draw(t, "moves") {
			if x.s.End != "" {
				break
			}
			before := dump(x.s)
			if r := Why(x.s, x.now); r.Text == "" || r.State != x.s.Status() {
				t.Fatalf("no reason: %+v", r)
			}
			p := PreviewCancel(x.h.fold(x.plan), x.now)
			if dump(x.s) != before {
				t.Fatal("asking changed the state")
			}
			checkPreview(t, x.s, &p)
			x.disturb()
		}
	})
}

func checkPreview(t *rapid.T, s *State, p *Preview) {
	refused := s.PastPivot && !s.Turning
	switch {
	case refused != (p.Refused != ""):
		t.Fatalf("past the pivot %v, turning %v, but refused: %q", s.PastPivot, s.Turning, p.Refused)
	case p.Refused != "" || p.Pending:
		return
	case !p.Ends.Ended() && p.Ends != domain.RunIsStuck:
		t.Fatalf("the preview ends %s: %+v\n%s", p.Ends, p.Steps, dump(s))
	}
	undone := map[string]bool{}
	for _, st := range p.Steps {
		if st.Do == MoveUndo && undone[st.Step] && !s.Step(st.Step).undoAgain { // a late success has an undo in flight repeated
			t.Fatalf("%s is undone twice", st.Step)
		}
		undone[st.Step] = undone[st.Step] || st.Do == MoveUndo
	}
	s.Steps(func(st *Step) { // whatever is done and can be undone is in the preview
		if p.Ends.Ended() && st.Phase == Done && st.Node.Kind == domain.KindDo && !st.Handler && st.Node.Action.Effect == domain.EffectUndo && !undone[st.Path] {
			t.Fatalf("%s is done, but the preview does not undo it: %+v", st.Path, p.Steps)
		}
	})
}
