package saga_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/desk"
)

// facts returns the events of a run that have a type, with their actors.
func facts[E domain.Event](t *testing.T, log domain.Log, id domain.RunID) (events []E, actors []string) {
	t.Helper()
	for r, err := range log.ReadStream(t.Context(), domain.RunStream(id), 0) {
		require.NoError(t, err)
		f, err := domain.DecodeFact(&r)
		require.NoError(t, err)
		if e, ok := f.Event.(E); ok {
			events, actors = append(events, e), append(actors, f.Meta.Actor)
		}
	}
	return events, actors
}

// asking returns a saga whose do and undo fail until they are mended, and ask a person then.
func asking(do, undo *atomic.Bool) *saga.Saga[order, order] {
	fails := func(mended *atomic.Bool) error {
		if mended.Load() {
			return nil
		}
		return saga.Permanent(errors.New("full"))
	}
	book := &saga.Action[order, order]{Name: "book", Retry: saga.Retry{MaxAttempts: 1}, UndoRetry: saga.Retry{MaxAttempts: 1},
		Do:   func(_ context.Context, o order) (order, error) { return o, fails(do) },
		Undo: func(context.Context, saga.Did[order, order]) error { return fails(undo) }}
	return saga.Define("stay", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[order] {
		booked := saga.Do(f, book, in.In, saga.OnFail(saga.Ask))
		saga.Await[string](f, "leave")
		return booked
	})
}

func TestWhatIsSaidOfIncidentsIsInTheRunsStreamAndMovesNothing(t *testing.T) {
	t.Parallel()
	ctx, log, s := saga.WithActor(t.Context(), "ann"), memlog.New(), asking(new(atomic.Bool), new(atomic.Bool))
	c := begin(t, log, saga.Config{}, s)
	run := start(t, c, s, order{"1"})
	_, err := run.Wait(ctx)
	var stuck *saga.StuckError
	require.ErrorAs(t, err, &stuck)
	before, err := c.Describe(ctx, run.ID)
	require.NoError(t, err)

	until := time.Now().Add(time.Hour)
	incident := []string{stuck.Incident}
	for _, a := range []desk.Act{{Kind: desk.Note, Text: "the hotel is closed"}, {Kind: desk.Assign, To: "bob", Text: "he knows them"},
		{Kind: desk.Snooze, Until: until, Text: "opens at nine"}, {Kind: desk.Snooze, Text: "open"}} {
		require.NoError(t, c.Desk().Do(ctx, run.ID, incident, a))
	}
	notes, actors := facts[*domain.RunNoted](t, log, run.ID)
	require.Equal(t, []*domain.RunNoted{{Incidents: incident, Note: "the hotel is closed"}}, notes)
	require.Equal(t, []string{"ann"}, actors)
	assigned, _ := facts[*domain.RunAssigned](t, log, run.ID)
	require.Equal(t, []*domain.RunAssigned{{Incidents: incident, To: "bob", Reason: "he knows them"}}, assigned)
	snoozed, _ := facts[*domain.RunSnoozed](t, log, run.ID)
	require.Equal(t, []*domain.RunSnoozed{{Incidents: incident, Until: until.UTC().Round(0), Reason: "opens at nine"}, {Incidents: incident, Reason: "open"}}, snoozed)

	after, err := c.Describe(ctx, run.ID)
	require.NoError(t, err)
	before.Revision = after.Revision
	require.Equal(t, before, after)

	other := []string{uuid.NewString()}
	require.ErrorIs(t, c.Desk().Do(ctx, run.ID, other, desk.Act{Kind: desk.Note, Text: "x"}), saga.ErrNotStuck)
	require.ErrorIs(t, c.Desk().Do(ctx, uuid.New(), nil, desk.Act{Kind: desk.Note, Text: "x"}), saga.ErrNotFound)
	require.NoError(t, c.Abandon(ctx, run.ID, "done"))
	require.ErrorIs(t, c.Desk().Do(ctx, run.ID, nil, desk.Act{Kind: desk.Assign, To: "bob"}), saga.ErrEnded)
	require.NoError(t, c.Desk().Do(ctx, run.ID, nil, desk.Act{Kind: desk.Note, Text: "paid by hand"}), "a note is taken for ever")
	notes, _ = facts[*domain.RunNoted](t, log, run.ID)
	require.Equal(t, &domain.RunNoted{Note: "paid by hand"}, notes[1])
	v, err := c.Describe(ctx, run.ID)
	require.NoError(t, err)
	require.Equal(t, domain.RunIsAbandoned, v.State)
}

// TestARetriedIncidentThatFailsAgainIsTheSameIncident, in each direction, and also when the run is
// read anew in between. Another direction is another incident.
func TestARetriedIncidentThatFailsAgainIsTheSameIncident(t *testing.T) {
	t.Parallel()
	ctx, log := t.Context(), memlog.New()
	var do, undo atomic.Bool
	s := asking(&do, &undo)
	c := begin(t, log, saga.Config{SnapshotEvery: 2}, s)
	run := start(t, c, s, order{"1"})
	stuck := func() string {
		_, err := run.Wait(ctx)
		var stuck *saga.StuckError
		require.ErrorAs(t, err, &stuck)
		return stuck.Incident
	}
	first := stuck()
	for range 2 {
		require.NoError(t, c.Retry(ctx, run.ID, "", "mended?"))
		require.Equal(t, first, stuck())
	}
	do.Store(true)
	require.NoError(t, c.Retry(ctx, run.ID, "book", "mended"))
	settled(t, log, run.ID, "await.opened.v1")
	require.NoError(t, c.Cancel(ctx, run.ID, "not wanted"))
	second := stuck()
	require.NotEqual(t, first, second)
	require.NoError(t, c.Retry(ctx, run.ID, "", "mended?"))
	require.Equal(t, second, stuck())

	events, _ := facts[*domain.RunStuck](t, log, run.ID)
	var again []bool
	for _, e := range events {
		again = append(again, e.Again)
	}
	require.Equal(t, []bool{false, true, true, false, true}, again)
}

// TestASnoozedGroupAlertsNobody, while one of another cause does, and so does an incident that is
// open again after a retry.
func TestASnoozedGroupAlertsNobody(t *testing.T) {
	t.Parallel()
	ctx, log := t.Context(), memlog.New()
	book := &saga.Action[order, order]{Name: "book", Retry: saga.Retry{MaxAttempts: 1},
		Do:   func(_ context.Context, o order) (order, error) { return o, saga.Permanent(errors.New(o.ID)) },
		Undo: func(context.Context, saga.Did[order, order]) error { return nil }}
	s := saga.Define("stay", 2, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[order] {
		return saga.Do(f, book, in.In, saga.OnFail(saga.Ask))
	})
	told := make(chan saga.Alert, 10)
	c := begin(t, log, saga.Config{Alerts: []saga.AlertSink{sinkFunc(func(_ context.Context, a saga.Alert) error { told <- a; return nil })}}, s)
	stuck := func(id string) domain.RunID {
		run := start(t, c, s, order{id})
		_, err := run.Wait(ctx)
		require.ErrorAs(t, err, new(*saga.StuckError))
		return run.ID
	}
	first := stuck("room 1 is taken")
	a := <-told
	require.Equal(t, first, a.Run)
	require.Equal(t, a.Incident, a.ID)

	require.NoError(t, c.Retry(ctx, first, "", "free?"))
	again := <-told
	require.True(t, again.Again)
	require.Equal(t, a.Incident, again.Incident)
	require.NotEqual(t, a.ID, again.ID, "a sink that drops repeats tells this one")

	_, err := c.Desk().SnoozeGroup(ctx, cause.GroupOf("stay", "book", domain.Do, a.Cause), time.Now().Add(time.Hour), "a fair is on")
	require.NoError(t, err)
	stuck("room 22 is taken")
	other := stuck("the hotel burnt down")
	require.Equal(t, other, (<-told).Run)
}
