package machine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/machine/machinetest"
)

// recorded returns the events of the run that f accepts.
func recorded(g *machinetest.Stage, f func(domain.Event) bool) (events []domain.Event) {
	for _, fact := range g.Facts {
		if f(fact.Event) {
			events = append(events, fact.Event)
		}
	}
	return events
}

// TestLateUndoDoesNotCoverAnEffectThatCameAfterIt: an undo was given up, then a late success of the
// do comes in, and then the late success of that undo. The undo may have missed the effect: another
// one is owed.
func TestLateUndoDoesNotCoverAnEffectThatCameAfterIt(t *testing.T) {
	t.Parallel()
	for name, until := range map[string]string{
		"waits for its retry": "timeout a; cancel; tick; late a 1",
		"is stuck":            "timeout a; cancel; tick; tick; tick; tick; tick; late a 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := play(t, seq(do("a")), until)
			st := g.S.Step("a")
			require.Contains(t, []machine.Phase{machine.UndoBackoff, machine.UndoStuck}, st.Phase)
			last := st.Undo.N
			g.Tell(machine.Outcome{Step: "a", Direction: domain.Undo, Attempt: last})
			require.False(t, g.S.Status().Ended(), "the undo that is reported may have run before the effect came")
			require.Equal(t, last+1, st.Undo.N)
			g.Happens("undone a")
			require.Equal(t, domain.RunIsCancelled, g.S.Status())
		})
	}
}

// TestLateUndosAreRecorded: what an undo reports after it was given up and another one was begun is
// a fact of the run, once.
func TestLateUndosAreRecorded(t *testing.T) {
	t.Parallel()
	late := func(e domain.Event) bool { l, ok := e.(*domain.OutcomeLate); return ok && l.Direction == domain.Undo }
	g := play(t, seq(do("a"), do("b")), "ok a; cancel; permanent b; timeout a; tick")
	require.Equal(t, machine.Undoing, g.S.Step("a").Phase)
	require.Equal(t, 2, g.S.Step("a").Undo.N)
	for range 2 {
		g.Tell(machine.Outcome{Step: "a", Direction: domain.Undo, Attempt: 1})
	}
	require.Len(t, recorded(g, late), 1)
	g.Happens("undone a")
	require.Equal(t, domain.RunIsCancelled, g.S.Status())
	require.Equal(t, machine.Dump(g.Fold()), machine.Dump(g.S))
}

// TestLateSuccessSettlesAStepThatWasGrantedMoreAttempts: rule 10 counts until the next attempt is
// started, and a step that was stuck and waits for a slot has none yet.
func TestLateSuccessSettlesAStepThatWasGrantedMoreAttempts(t *testing.T) {
	t.Parallel()
	a := ruled("a", domain.RuleAsk)
	a.Action.Retry = golden(1)
	g := play(t, seq(a, do("b")), "timeout a")
	require.Equal(t, machine.Stuck, g.S.Step("a").Phase)
	g.Decide(machine.Retry{Step: "a", Reason: "mended"}) // and no slot is free
	require.Equal(t, machine.Ready, g.S.Step("a").Phase)
	g.Happens("late a 1")
	require.Equal(t, machine.Done, g.S.Step("a").Phase)
	require.JSONEq(t, `"late"`, string(g.S.Step("a").Output))
	g.Happens("ok b")
	require.Equal(t, domain.RunIsCompleted, g.S.Status())
}

// TestRepeatOfAnUndoThatMissedTheEffectSettlesNothing: the undo before the effect came is told
// twice, the second time while the one after it waits for its retry.
func TestRepeatOfAnUndoThatMissedTheEffectSettlesNothing(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("a")), "timeout a; cancel; late a 1; undone a; undofail a")
	require.Equal(t, machine.UndoBackoff, g.S.Step("a").Phase)
	g.Tell(machine.Outcome{Step: "a", Direction: domain.Undo, Attempt: 1})
	require.Equal(t, machine.UndoBackoff, g.S.Step("a").Phase)
	g.Happens("tick")
	g.Happens("undone a")
	require.Equal(t, domain.RunIsCancelled, g.S.Status())
}
