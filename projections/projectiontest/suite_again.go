package projectiontest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
)

// stuckAgain has an effect come after a run's end, and its undo fail for good: every view shows a
// stuck run, and counts the run once when it ends again.
func stuckAgain(t *testing.T, open Opener) {
	log, store := memlog.New(), first(open(t))
	id := domain.RunIDForKey("order", "again")
	stream, revision, hash := domain.RunStream(id), uint64(0), domain.ChainHash{}
	var last domain.Appended
	appends := func(state domain.RunState, busy bool, events ...domain.Event) {
		var sealed []domain.NewEvent
		expected := domain.Expected(int64(revision) - 1)
		for i, e := range events {
			m := domain.Meta{At: time.Unix(int64(revision)+1, 0)}
			if i == len(events)-1 {
				m.Wake = domain.Wake{State: state, Busy: busy}
			}
			var s domain.NewEvent
			s, hash = domain.Seal(stream, revision, hash, e, m)
			sealed = append(sealed, s)
			revision++
		}
		var err error
		last, err = log.Append(t.Context(), stream, expected, sealed...)
		require.NoError(t, err)
	}
	try := func(dir domain.Direction, n int) domain.Event {
		return &domain.AttemptStarted{Step: "a", Direction: dir, Attempt: n, Action: "a"}
	}
	lost := domain.Failure{Kind: domain.FailureLost, Message: "lost", InDoubt: true}
	no := domain.Failure{Kind: domain.FailureRetryable, Message: "no"}
	appends(domain.RunRunning, true, &domain.RunStarted{Saga: "order", Version: 1}, try(domain.Do, 1))
	appends(domain.RunCompensating, true, &domain.AttemptFailed{Step: "a", Direction: domain.Do, Attempt: 1, Cause: lost},
		&domain.RunTurnedBack{Cause: lost}, try(domain.Undo, 1))
	appends(domain.RunIsCompensated, false, &domain.AttemptSucceeded{Step: "a", Direction: domain.Undo, Attempt: 1}, &domain.RunCompensated{})
	appends(domain.RunIsCompensated, true, &domain.OutcomeLate{Step: "a", Direction: domain.Do, Attempt: 1}, try(domain.Undo, 2))
	appends(domain.RunIsStuck, false, &domain.AttemptFailed{Step: "a", Direction: domain.Undo, Attempt: 2, Cause: no},
		&domain.RunStuck{Incident: "i", Step: "a", Direction: domain.Undo, Cause: no, After: domain.RunIsCompensated})
	r := start(t, runner.Config{Source: log, Store: store})
	seen := func(state domain.RunState, ended bool, open int) {
		t.Helper()
		r.reach(t, last.Position, builtin...)
		found := runPages(t, t.Context(), r.ask(), runs.Filter{States: []domain.RunState{state}}, 10)
		require.Len(t, found, 1, state)
		require.Equal(t, ended, !found[0].Ended.IsZero())
		page, err := r.ask().Incidents(t.Context(), incidents.Filter{Open: true})
		require.NoError(t, err)
		require.Len(t, page.Rows, open)
		counts, err := r.ask().Stats(t.Context(), stats.Filter{Saga: "order"})
		require.NoError(t, err)
		require.EqualValues(t, 1, counts[0].Failed, "it was compensated once")
	}
	seen(domain.RunIsStuck, false, 1)
	appends(domain.RunCompensating, true, &domain.StepRetried{Step: "a", Direction: domain.Undo, Reason: "mended"}, try(domain.Undo, 3))
	appends(domain.RunIsCompensated, false, &domain.AttemptSucceeded{Step: "a", Direction: domain.Undo, Attempt: 3}, &domain.RunCompensated{})
	seen(domain.RunIsCompensated, true, 0)
}
