package projectiontest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/audit"
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
		require.EqualValues(t, open, counts[0].StuckMore)
	}
	seen(domain.RunIsStuck, false, 1)
	appends(domain.RunCompensating, true, &domain.StepRetried{Step: "a", Direction: domain.Undo, Reason: "mended"}, try(domain.Undo, 3))
	appends(domain.RunIsCompensated, false, &domain.AttemptSucceeded{Step: "a", Direction: domain.Undo, Attempt: 3}, &domain.RunCompensated{})
	seen(domain.RunIsCompensated, true, 0)
}

// stuckBelow has a grandchild stuck, twice: its parent and grandparent are known to have something
// stuck below them, until it no longer is.
func stuckBelow(t *testing.T, open Opener) {
	log, store := memlog.New(), first(open(t))
	type chain struct {
		id       domain.RunID
		revision uint64
		hash     domain.ChainHash
	}
	family := map[string]*chain{}
	var last domain.Appended
	appends := func(name string, state domain.RunState, e domain.Event) {
		c := family[name]
		if c == nil {
			c = &chain{id: domain.RunIDForKey("order", name)}
			family[name] = c
		}
		var s domain.NewEvent
		s, c.hash = domain.Seal(domain.RunStream(c.id), c.revision, c.hash, e, domain.Meta{At: time.Unix(int64(c.revision)+1, 0), Wake: domain.Wake{State: state}})
		var err error
		last, err = log.Append(t.Context(), domain.RunStream(c.id), domain.Expected(int64(c.revision)-1), s)
		require.NoError(t, err)
		c.revision++
	}
	begins := func(name, parent string) {
		e := &domain.RunStarted{Saga: "order", Version: 1, Key: name}
		if parent != "" {
			e.Parent = &domain.ParentRef{Run: family[parent].id, Step: "sub"}
		}
		appends(name, domain.RunRunning, e)
	}
	begins("grandparent", "")
	begins("parent", "grandparent")
	begins("child", "parent")
	begins("other child", "parent")
	begins("orphan", "")
	r := start(t, runner.Config{Source: log, Store: store})
	below := func(want ...string) {
		t.Helper()
		r.reach(t, last.Position, "runs")
		found := []string{}
		for _, row := range runPages(t, t.Context(), r.ask(), runs.Filter{States: []domain.RunState{runs.StateStuckBelow}, Ascending: true}, 10) {
			require.Equal(t, runs.StateStuckBelow, row.States()[0])
			found = append(found, row.Key)
		}
		require.ElementsMatch(t, want, found)
	}
	no := domain.Failure{Kind: domain.FailureRetryable, Message: "no"}
	stuck := &domain.RunStuck{Incident: "i", Step: "a", Direction: domain.Do, Cause: no}
	retried := &domain.StepRetried{Step: "a", Direction: domain.Do}
	below()
	appends("child", domain.RunIsStuck, stuck)
	below("parent", "grandparent")
	appends("other child", domain.RunIsStuck, stuck)
	appends("child", domain.RunRunning, retried)
	below("parent", "grandparent")
	appends("orphan", domain.RunIsStuck, stuck)
	appends("other child", domain.RunIsAbandoned, &domain.RunAbandoned{Reason: "r"})
	below()
	appends("child", domain.RunIsStuck, stuck)
	appends("parent", domain.RunIsAbandoned, &domain.RunAbandoned{Reason: "r"})
	below()
	of, err := r.ask().UnfinishedByVersion(t.Context())
	require.NoError(t, err)
	require.Equal(t, []runs.OfVersion{{Saga: "order", Version: 1, Runs: 3}}, of)
	require.Equal(t, "3 unfinished runs need order v1, which this program lacks", of[0].Lacks())
}

// eventsLead has domain events start one run and wake another: the audit finds both by the events.
func eventsLead(t *testing.T, open Opener) {
	log, store := memlog.New(), first(open(t))
	starts, wakes := uuid.New(), uuid.New()
	var last domain.Appended
	for _, events := range [][]domain.Event{
		{&domain.RunStarted{Saga: "order", Version: 1, Trigger: &domain.TriggerRef{Stream: "s", Event: starts.String(), Type: "placed"}}},
		{&domain.RunStarted{Saga: "order", Version: 1}, &domain.AwaitMet{Step: "a", By: wakes.String()}, &domain.AwaitMet{Step: "b", By: "a signal's id"}},
	} {
		stream, hash := domain.RunStream(domain.NewRunID()), domain.ChainHash{}
		var sealed []domain.NewEvent
		for i, e := range events {
			var s domain.NewEvent
			s, hash = domain.Seal(stream, uint64(i), hash, e, domain.Meta{At: time.Unix(int64(i), 0), Wake: domain.Wake{State: domain.RunRunning}})
			sealed = append(sealed, s)
		}
		var err error
		last, err = log.Append(t.Context(), stream, domain.NoStream, sealed...)
		require.NoError(t, err)
	}
	r := start(t, runner.Config{Source: log, Store: store})
	r.reach(t, last.Position, builtin...)
	for of, want := range map[uuid.UUID]string{starts: "run.started", wakes: "await.met"} {
		page, err := r.ask().Audit(t.Context(), audit.Filter{Events: []uuid.UUID{of, uuid.New()}})
		require.NoError(t, err)
		require.Len(t, page.Rows, 1)
		require.Equal(t, []string{want, of.String()}, []string{page.Rows[0].What, page.Rows[0].Event})
	}
	page, err := r.ask().Audit(t.Context(), audit.Filter{Events: []uuid.UUID{starts, wakes}})
	require.NoError(t, err)
	require.Len(t, page.Rows, 2)
}
