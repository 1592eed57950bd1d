package machine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// tell delivers an intent that the scenarios have no word for.
func (g *stage) tell(in Intent) {
	g.decide(in)
	g.settle()
}

// recorded returns the events of the run that f accepts.
func (g *stage) recorded(f func(domain.Event) bool) (events []domain.Event) {
	for _, fact := range g.h.facts {
		if f(fact.Event) {
			events = append(events, fact.Event)
		}
	}
	return events
}

// TestLateUndoDoesNotCoverAnEffectThatCameAfterIt: an undo was given up, then a late success of the do
// comes in, and then the late success of that undo. The undo may have missed the effect: another one is owed.
func TestLateUndoDoesNotCoverAnEffectThatCameAfterIt(t *testing.T) {
	t.Parallel()
	for name, until := range map[string]string{
		"waits for its retry": "timeout a; cancel; tick; late a 1",
		"is stuck":            "timeout a; cancel; tick; tick; tick; tick; tick; late a 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := play(t, seq(do("a")), until)
			st := g.s.Step("a")
			require.Contains(t, []Phase{UndoBackoff, UndoStuck}, st.Phase)
			last := st.Undo.N
			g.tell(Outcome{Step: "a", Direction: domain.Undo, Attempt: last})
			require.False(t, g.s.Status().Ended(), "the undo that is reported may have run before the effect came")
			require.Equal(t, last+1, st.Undo.N)
			g.happens("undone a")
			require.Equal(t, domain.RunIsCancelled, g.s.Status())
		})
	}
}

// TestLateUndosAreRecorded: what an undo reports after it was given up and another one was begun is a fact of
// the run, once.
func TestLateUndosAreRecorded(t *testing.T) {
	t.Parallel()
	late := func(e domain.Event) bool { l, ok := e.(*domain.OutcomeLate); return ok && l.Direction == domain.Undo }
	g := play(t, seq(do("a"), do("b")), "ok a; cancel; permanent b; timeout a; tick")
	require.Equal(t, Undoing, g.s.Step("a").Phase)
	require.Equal(t, 2, g.s.Step("a").Undo.N)
	for range 2 {
		g.tell(Outcome{Step: "a", Direction: domain.Undo, Attempt: 1})
	}
	require.Len(t, g.recorded(late), 1)
	g.happens("undone a")
	require.Equal(t, domain.RunIsCancelled, g.s.Status())
	require.Equal(t, dump(g.h.fold(g.s.Plan)), dump(g.s))
}

// TestLateSuccessSettlesAStepThatWasGrantedMoreAttempts: rule 10 counts until the next attempt is started, and a
// step that was stuck and waits for a slot has none yet.
func TestLateSuccessSettlesAStepThatWasGrantedMoreAttempts(t *testing.T) {
	t.Parallel()
	a := ruled("a", domain.RuleAsk)
	a.Action.Retry = golden(1)
	g := play(t, seq(a, do("b")), "timeout a")
	require.Equal(t, Stuck, g.s.Step("a").Phase)
	g.decide(Retry{Step: "a", Reason: "mended"}) // and no slot is free
	require.Equal(t, Ready, g.s.Step("a").Phase)
	g.happens("late a 1")
	require.Equal(t, Done, g.s.Step("a").Phase)
	require.JSONEq(t, `"late"`, string(g.s.Step("a").Output))
	g.happens("ok b")
	require.Equal(t, domain.RunIsCompleted, g.s.Status())
}

// TestRepeatOfAnUndoThatMissedTheEffectSettlesNothing: the undo before the effect came is told twice, the second time
// while the one after it waits for its retry.
func TestRepeatOfAnUndoThatMissedTheEffectSettlesNothing(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("a")), "timeout a; cancel; late a 1; undone a; undofail a")
	require.Equal(t, UndoBackoff, g.s.Step("a").Phase)
	g.tell(Outcome{Step: "a", Direction: domain.Undo, Attempt: 1})
	require.Equal(t, UndoBackoff, g.s.Step("a").Phase)
	g.happens("tick")
	g.happens("undone a")
	require.Equal(t, domain.RunIsCancelled, g.s.Status())
}
