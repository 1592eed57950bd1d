package machine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// TestDurationsMoveWithTheClockAndInstantsStay: the clock is set forward by an hour while an
// attempt runs, a step waits for its retry, one sleeps for a time and one until a time.
func TestDurationsMoveWithTheClockAndInstantsStay(t *testing.T) {
	t.Parallel()
	sleep := func(name string) *domain.Node { return &domain.Node{Kind: domain.KindSleep, Name: name} }
	run, retry := do("run"), do("retry")
	run.Action.HeartbeatTimeout = domain.Duration(5 * time.Second)
	g := newStage(t, &domain.Node{Kind: domain.KindParallel, Children: []*domain.Node{seq(run), seq(retry), seq(sleep("for")), seq(sleep("until"))}})
	tell := func(in machine.Intent, c domain.Clock) {
		events, err := machine.Decide(g.S, in, g.Now)
		require.NoError(t, err)
		for _, e := range events {
			g.RecordBy(e, c)
			c = domain.Clock{}
		}
	}
	named := g.Now.Add(2 * time.Hour)
	tell(machine.Outcome{Step: "retry", Direction: domain.Do, Attempt: 1, Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "no"}}, domain.Clock{})
	tell(machine.Timed{Step: "for", For: time.Minute}, domain.Clock{})
	tell(machine.Timed{Step: "until", Due: named}, domain.Clock{})
	before := *g.S.Step("run")
	retryAt, wakes, forDue := g.S.Step("retry").Do.RetryAt, g.S.Wake(), g.S.Step("for").Due
	require.Equal(t, named, wakes.Instant)

	tell(machine.Pause{Reason: "so that something is recorded"}, domain.Clock{Node: "n/1", Stepped: domain.Duration(time.Hour), Shift: domain.Duration(time.Hour)})
	for _, s := range []*machine.State{g.S, g.Fold()} {
		tries := s.Step("run").Do
		require.Equal(t, time.Hour, tries.Due.Sub(before.Do.Due))
		require.Equal(t, time.Hour, tries.BeatDue.Sub(before.Do.BeatDue))
		require.Equal(t, time.Hour, tries.First.Sub(before.Do.First))
		require.Equal(t, time.Hour, s.Step("retry").Do.RetryAt.Sub(retryAt))
		require.Equal(t, time.Hour, s.Step("for").Due.Sub(forDue))
		require.Equal(t, named.UTC(), s.Step("until").Due.UTC())
		require.Equal(t, named.UTC(), s.Wake().Instant.UTC())
		require.NoError(t, machine.CheckWaits(s))
	}
	g.S.Start.Plan = g.S.Plan.Hash()
	snap, err := machine.Snapshot(g.S)
	require.NoError(t, err)
	restored, err := machine.Restore(g.S.Plan, g.S.Run, snap)
	require.NoError(t, err)
	require.Equal(t, machine.Dump(g.S), machine.Dump(restored))
	again := machine.Dump(g.S)
	g.S.Reckon(domain.Clock{Node: "n/1", Stepped: domain.Duration(time.Hour), Shift: domain.Duration(time.Hour)})
	require.Equal(t, again, machine.Dump(g.S), "a clock that the run goes by changes nothing")
}
