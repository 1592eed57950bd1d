package projectiontest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runner"
)

// incidentsAreGrouped has three runs stuck of one cause and one of another; people look after them,
// and a retry fails.
func incidentsAreGrouped(t *testing.T, open Opener) {
	log, store := memlog.New(), first(open(t))
	base := time.Date(2026, 5, 1, 12, 10, 0, 0, time.UTC)
	type run struct {
		id       domain.RunID
		revision uint64
		hash     domain.ChainHash
	}
	var last domain.Appended
	clock := base
	appends := func(r *run, state domain.RunState, events ...domain.Event) {
		var sealed []domain.NewEvent
		expected, stream := domain.Expected(int64(r.revision)-1), domain.RunStream(r.id)
		for i, e := range events {
			m := domain.Meta{At: clock, Actor: "ann"}
			if i == len(events)-1 {
				m.Wake = domain.Wake{State: state}
			}
			var s domain.NewEvent
			s, r.hash = domain.Seal(stream, r.revision, r.hash, e, m)
			sealed = append(sealed, s)
			r.revision++
		}
		var err error
		last, err = log.Append(t.Context(), stream, expected, sealed...)
		require.NoError(t, err)
		clock = clock.Add(time.Minute)
	}
	stuck := func(id, message string, again bool) *domain.RunStuck {
		return &domain.RunStuck{Incident: id, Step: "charge", Direction: domain.Do, Cause: domain.Failure{Message: message}, Again: again}
	}
	parent := &domain.ParentRef{Run: domain.RunIDForKey("order", "parent"), Step: "pay"}
	var rs []*run
	for i, message := range []string{"card 1 gone", "card 22 gone", "card 333 gone", "no route"} {
		r := &run{id: domain.RunIDForKey("order", fmt.Sprint(i))}
		rs = append(rs, r)
		appends(r, domain.RunIsStuck, &domain.RunStarted{Saga: "order", Version: 1, Key: fmt.Sprint("key-", i), Labels: map[string]string{"tenant": "t1"}, Parent: parent},
			&domain.AttemptStarted{Step: "charge", Direction: domain.Do, Attempt: 1, Action: "charge-card"}, stuck(fmt.Sprint("i", i), message, false))
	}
	r := start(t, runner.Config{Source: log, Store: store})
	groups := func(f incidents.GroupFilter) []incidents.GroupRow {
		t.Helper()
		r.reach(t, last.Position, builtin...)
		f.Now = clock
		page, err := r.ask().IncidentGroups(t.Context(), f)
		require.NoError(t, err)
		return page.Rows
	}
	rows := func(f incidents.Filter) []incidents.Row {
		t.Helper()
		r.reach(t, last.Position, builtin...)
		page, err := r.ask().Incidents(t.Context(), f)
		require.NoError(t, err)
		return page.Rows
	}
	found := groups(incidents.GroupFilter{})
	require.Len(t, found, 2)
	cards := found[0]
	require.Equal(t, "card # gone", cards.Cause)
	require.Equal(t, "card 333 gone", cards.Example)
	require.Equal(t, []int{3, 0, 3}, []int{cards.Open, cards.Retrying, cards.Arrived})
	require.Equal(t, base, cards.First)
	require.Equal(t, base.Add(2*time.Minute), cards.Last)
	require.Equal(t, []incidents.Arrivals{{From: base.Truncate(incidents.SparkWidth), Count: 3}}, cards.Arrivals)
	key := cards.Key()
	require.Equal(t, key.ID(), cards.ID)

	mine := rows(incidents.Filter{Groups: []string{cards.ID}, Ascending: true})
	require.Len(t, mine, 3)
	require.Equal(t, "key-0", mine[0].Key)
	require.Equal(t, map[string]string{"tenant": "t1"}, mine[0].Labels)
	require.Equal(t, parent, mine[0].Parent)

	appends(rs[0], domain.RunIsStuck, &domain.RunAssigned{Incidents: []string{"i0"}, To: "bob"}, &domain.RunNoted{Incidents: []string{"i0"}, Note: "asked the bank"})
	until := clock.Add(time.Hour)
	appends(rs[1], domain.RunIsStuck, &domain.RunSnoozed{Incidents: []string{"i1"}, Until: until, Reason: "tomorrow"})
	cards = groups(incidents.GroupFilter{Text: "card"})[0]
	require.Equal(t, map[string]int{"bob": 1}, cards.Assignees)
	require.Equal(t, "asked the bank", cards.Note.Text)
	require.Equal(t, 1, cards.Snoozed)
	require.Len(t, rows(incidents.Filter{Assignees: []string{"bob"}}), 1)
	require.Len(t, rows(incidents.Filter{Open: true, Awake: clock}), 3)
	require.Len(t, rows(incidents.Filter{Open: true, Awake: until}), 4, "its time has come")

	// A retry that fails opens the same incident again, also if an older program gave it a new id.
	appends(rs[0], domain.RunRunning, &domain.StepRetried{Step: "charge", Direction: domain.Do, Reason: "the bank is back"},
		&domain.AttemptStarted{Step: "charge", Direction: domain.Do, Attempt: 2, Action: "charge-card"})
	require.Len(t, rows(incidents.Filter{Retrying: true}), 1)
	require.Empty(t, rows(incidents.Filter{Resolved: true}), "a retry alone resolves nothing")
	require.Equal(t, 1, groups(incidents.GroupFilter{ID: cards.ID})[0].Retrying)
	appends(rs[0], domain.RunIsStuck, stuck("i0b", "no route", false))
	reopened := rows(incidents.Filter{ID: "i0b"})
	require.Len(t, reopened, 1)
	require.Equal(t, mine[0].No, reopened[0].No)
	require.Equal(t, []any{incidents.Open, 2, "bob", 1, "no route"}, []any{reopened[0].State, reopened[0].Times, reopened[0].Assignee, reopened[0].Notes, reopened[0].Cause})
	found = groups(incidents.GroupFilter{})
	require.Equal(t, []int{2, 2}, []int{found[0].Open, found[1].Open}, "it is in the group of its latest cause")

	appends(rs[0], domain.RunRunning, &domain.StepRetried{Step: "charge", Direction: domain.Do, Reason: "again"})
	appends(rs[0], domain.RunIsCompleted, &domain.AttemptSucceeded{Step: "charge", Direction: domain.Do, Attempt: 3}, &domain.RunCompleted{})
	resolved := rows(incidents.Filter{Resolved: true})
	require.Len(t, resolved, 1)
	require.Equal(t, []string{incidents.Retried, "ann", "again"}, []string{resolved[0].How, resolved[0].By, resolved[0].Reason})
	history, err := r.ask().IncidentHistory(t.Context(), resolved[0].No, projections.Fresh{})
	require.NoError(t, err)
	var whats []string
	for _, e := range history {
		whats = append(whats, e.What)
	}
	require.Equal(t, []string{"opened", "assigned", "noted", "retried", "failed again", "retried", "resolved"}, whats)

	for _, r := range rs[1:] {
		appends(r, domain.RunIsAbandoned, &domain.RunAbandoned{Reason: "closed"})
	}
	require.Empty(t, groups(incidents.GroupFilter{}))
	require.Len(t, groups(incidents.GroupFilter{All: true, Sort: incidents.ByLast}), 2)
}
