package machine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestRetryGrantsAFullSetOfAttempts: a stuck step, going forward or backward, is tried again as often as at first, and with
// the delays of the first time.
func TestRetryGrantsAFullSetOfAttempts(t *testing.T) {
	t.Parallel()
	g := play(t, seq(ruled("a", domain.RuleAsk)), "fail a; tick; fail a; tick; fail a; retry a; fail a; tick; fail a; tick")
	st := g.s.Step("a")
	require.Equal(t, Running, st.Phase)
	require.Equal(t, 6, st.Do.N)
	require.Equal(t, "2s", st.Do.Last.Sub(st.Do.First.Add(1e9)).String(), "one second, then two")
	g.happens("fail a")
	require.Equal(t, Stuck, st.Phase)
	require.Equal(t, 2, g.s.Incidents)

	g = play(t, seq(do("a"), do("b")), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; retry a; undofail a; tick; undofail a; tick")
	st = g.s.Step("a")
	require.Equal(t, Undoing, st.Phase)
	require.Equal(t, 6, st.Undo.N)
	g.happens("undofail a")
	require.Equal(t, UndoStuck, st.Phase)
}

// TestAStuckStepIsRetriedOnce though two people ask at once.
func TestAStuckStepIsRetriedOnce(t *testing.T) {
	t.Parallel()
	g := play(t, seq(ruled("a", domain.RuleAsk)), "permanent a")
	g.decide(Retry{Step: "a", Reason: "one"})
	_, err := Decide(g.s, Retry{Step: "a", Reason: "two"}, g.now)
	require.ErrorIs(t, err, ErrNotStuck)
	g.settle()
	_, err = Decide(g.s, Retry{Reason: "two"}, g.now)
	require.ErrorIs(t, err, ErrNotStuck)
	require.Equal(t, 2, g.s.Step("a").Do.N)
}

// TestOutcomeOfAnAttemptThatWasNeverStartedIsRefused: a broker may hold outcomes that a log restored from an older backup
// knows nothing of. It must be told so, and not deliver them again for ever.
func TestOutcomeOfAnAttemptThatWasNeverStartedIsRefused(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("a")), "fail a")
	for _, n := range []int{-1, 0, 2, 99} {
		_, err := Decide(g.s, Outcome{Step: "a", Direction: domain.Do, Attempt: n}, g.now)
		require.ErrorIs(t, err, ErrNoAttempt, "attempt %d", n)
	}
}
