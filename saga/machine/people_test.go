package machine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// TestRetryGrantsAFullSetOfAttempts: a stuck step, going forward or backward, is tried again as
// often as at first, and with the delays of the first time.
func TestRetryGrantsAFullSetOfAttempts(t *testing.T) {
	t.Parallel()
	g := play(t, seq(ruled("a", domain.RuleAsk)), "fail a; tick; fail a; tick; fail a; retry a; fail a; tick; fail a; tick")
	st := g.S.Step("a")
	require.Equal(t, machine.Running, st.Phase)
	require.Equal(t, 6, st.Do.N)
	require.Equal(t, "2s", st.Do.Last.Sub(st.Do.First.Add(1e9)).String(), "one second, then two")
	g.Happens("fail a")
	require.Equal(t, machine.Stuck, st.Phase)
	require.Equal(t, 2, g.S.Incidents)

	g = play(t, seq(do("a"), do("b")), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; retry a; undofail a; tick; undofail a; tick")
	st = g.S.Step("a")
	require.Equal(t, machine.Undoing, st.Phase)
	require.Equal(t, 6, st.Undo.N)
	g.Happens("undofail a")
	require.Equal(t, machine.UndoStuck, st.Phase)
}

// TestAStuckStepIsRetriedOnce though two people ask at once.
func TestAStuckStepIsRetriedOnce(t *testing.T) {
	t.Parallel()
	g := play(t, seq(ruled("a", domain.RuleAsk)), "permanent a")
	g.Decide(machine.Retry{Step: "a", Reason: "one"})
	_, err := machine.Decide(g.S, machine.Retry{Step: "a", Reason: "two"}, g.Now)
	require.ErrorIs(t, err, machine.ErrNotStuck)
	g.Settle()
	_, err = machine.Decide(g.S, machine.Retry{Reason: "two"}, g.Now)
	require.ErrorIs(t, err, machine.ErrNotStuck)
	require.Equal(t, 2, g.S.Step("a").Do.N)
}

// TestOutcomeOfAnAttemptThatWasNeverStartedIsRefused: a broker may hold outcomes that a log
// restored from an older backup knows nothing of. It must be told so, and not deliver them again
// for ever.
func TestOutcomeOfAnAttemptThatWasNeverStartedIsRefused(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("a")), "fail a")
	for _, n := range []int{-1, 0, 2, 99} {
		_, err := machine.Decide(g.S, machine.Outcome{Step: "a", Direction: domain.Do, Attempt: n}, g.Now)
		require.ErrorIs(t, err, machine.ErrNoAttempt, "attempt %d", n)
	}
}
