package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestDurationsMoveWithTheClockAndInstantsStay: the clock is set forward by an hour while an attempt runs, a step
// waits for its retry, one sleeps for a time and one until a time.
func TestDurationsMoveWithTheClockAndInstantsStay(t *testing.T) {
	t.Parallel()
	sleep := func(name string) *domain.Node { return &domain.Node{Kind: domain.KindSleep, Name: name} }
	run, retry := do("run"), do("retry")
	run.Action.HeartbeatTimeout = domain.Duration(5 * time.Second)
	g := newStage(t, &domain.Node{Kind: domain.KindParallel, Children: []*domain.Node{seq(run), seq(retry), seq(sleep("for")), seq(sleep("until"))}})
	tell := func(in Intent, c domain.Clock) {
		events, err := Decide(g.s, in, g.now)
		require.NoError(t, err)
		for _, e := range events {
			f, err := g.h.add(e, domain.Meta{At: g.now, Clock: c})
			require.NoError(t, err)
			g.s, c = Evolve(g.s, f), domain.Clock{}
		}
	}
	named := g.now.Add(2 * time.Hour)
	tell(Outcome{Step: "retry", Direction: domain.Do, Attempt: 1, Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "no"}}, domain.Clock{})
	tell(Timed{Step: "for", For: time.Minute}, domain.Clock{})
	tell(Timed{Step: "until", Due: named}, domain.Clock{})
	before := *g.s.Step("run")
	retryAt, wakes, forDue := g.s.Step("retry").Do.RetryAt, g.s.Wake(), g.s.Step("for").Due
	require.Equal(t, named, wakes.Instant)

	tell(Pause{Reason: "so that something is recorded"}, domain.Clock{Node: "n/1", Stepped: domain.Duration(time.Hour), Shift: domain.Duration(time.Hour)})
	for _, s := range []*State{g.s, g.h.fold(g.s.Plan)} {
		tries := s.Step("run").Do
		require.Equal(t, time.Hour, tries.Due.Sub(before.Do.Due))
		require.Equal(t, time.Hour, tries.BeatDue.Sub(before.Do.BeatDue))
		require.Equal(t, time.Hour, tries.First.Sub(before.Do.First))
		require.Equal(t, time.Hour, s.Step("retry").Do.RetryAt.Sub(retryAt))
		require.Equal(t, time.Hour, s.Step("for").Due.Sub(forDue))
		require.Equal(t, named.UTC(), s.Step("until").Due.UTC())
		require.Equal(t, named.UTC(), s.Wake().Instant.UTC())
		require.NoError(t, checkWaits(s))
	}
	g.s.Start.Plan = g.s.Plan.Hash()
	snap, err := Snapshot(g.s)
	require.NoError(t, err)
	restored, err := Restore(g.s.Plan, g.s.Run, snap)
	require.NoError(t, err)
	require.Equal(t, dump(g.s), dump(restored))
	again := dump(g.s)
	g.s.Reckon(domain.Clock{Node: "n/1", Stepped: domain.Duration(time.Hour), Shift: domain.Duration(time.Hour)})
	require.Equal(t, again, dump(g.s), "a clock that the run goes by changes nothing")
}
