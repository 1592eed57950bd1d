package machine_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// TestPoliciesInForceAreThoseOfTheDecision: the run's plan says three attempts of ten seconds, and
// the program that goes on with it says four of twenty, with heartbeats. What was decided stays so
// for a fold that knows nothing of the program.
func TestPoliciesInForceAreThoseOfTheDecision(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("a")), "fail a; tick; fail a")
	changed := g.S.Step("a").Node.Action.Policy()
	changed.Retry.MaxAttempts, changed.Timeout, changed.HeartbeatTimeout = 4, domain.Duration(20*time.Second), domain.Duration(5*time.Second)
	under := func(in machine.Intent) machine.Intent {
		return machine.Under{Intent: in, Policy: func(*machine.Step) *domain.Policy { return &changed }}
	}
	fails := func() machine.Intent {
		return machine.Outcome{Step: "a", Direction: domain.Do, Attempt: g.S.Step("a").Do.N,
			Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "not now"}, Effect: domain.EffectNotDone}
	}
	g.Now = g.S.Wake().Due
	g.Decide(under(machine.Begin{Step: "a"}))
	st := g.S.Step("a")
	require.Equal(t, 3, st.Do.N)
	require.Equal(t, 20*time.Second, st.Do.Due.Sub(g.Now))
	require.Equal(t, 5*time.Second, st.Do.BeatDue.Sub(g.Now))
	started := g.Facts[len(g.Facts)-1].Event.(*domain.AttemptStarted)
	require.Equal(t, &changed, started.InForce, "the event says what was in force")

	g.Decide(under(fails()))
	require.Equal(t, machine.Backoff, g.S.Step("a").Phase, "the plan's three attempts are used up, and a fourth is in force")
	require.Equal(t, machine.Dump(g.Fold()), machine.Dump(g.S), "a replay reads only the events")
	snap := restored(t, g.S)
	require.Equal(t, &changed, snap.Step("a").InForce)

	g.Now = g.S.Wake().Due
	g.Decide(machine.Begin{Step: "a"})
	require.Equal(t, &changed, g.Facts[len(g.Facts)-1].Event.(*domain.AttemptStarted).InForce,
		"where nobody knows the policy, that of the latest attempt stays in force")
	g.Decide(fails())
	require.Equal(t, machine.Failed, g.S.Step("a").Phase)
}

// TestAnEventNamesNoPolicyThatIsThePlans: a policy in every event would make every append larger.
func TestAnEventNamesNoPolicyThatIsThePlans(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("a")), "")
	same := g.S.Step("a").Node.Action.Policy()
	g.Decide(machine.Under{Intent: machine.Outcome{Step: "a", Direction: domain.Do, Attempt: 1, Failure: &domain.Failure{Kind: domain.FailureRetryable}},
		Policy: func(*machine.Step) *domain.Policy { return &same }})
	g.Now = g.S.Wake().Due
	g.Decide(machine.Under{Intent: machine.Begin{Step: "a"}, Policy: func(*machine.Step) *domain.Policy { return &same }})
	data, err := json.Marshal(g.Facts[len(g.Facts)-1].Event)
	require.NoError(t, err)
	require.NotContains(t, string(data), "in_force")
}

func restored(t *testing.T, s *machine.State) *machine.State {
	s.Start.Plan = s.Plan.Hash()
	snap, err := machine.Snapshot(s)
	require.NoError(t, err)
	again, err := machine.Restore(s.Plan, s.Run, snap)
	require.NoError(t, err)
	require.Equal(t, machine.Dump(s), machine.Dump(again))
	return again
}
