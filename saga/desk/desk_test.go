package desk_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/saga/desk"
	"github.com/atonehq/atone/saga/machine"
)

func TestActsThatSayNothingAreRefused(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := desk.New(desk.Config{Now: func() time.Time { return now }, Operate: func(context.Context, string, domain.RunID, string, machine.Intent) error {
		t.Error("nothing may be recorded")
		return nil
	}})
	for name, a := range map[string]desk.Act{
		"no act":          {},
		"no such act":     {Kind: "forget"},
		"an empty note":   {Kind: desk.Note},
		"a huge note":     {Kind: desk.Note, Text: strings.Repeat("x", 16<<10+1)},
		"a note of bytes": {Kind: desk.Note, Text: "\xff"},
		"a hidden name":   {Kind: desk.Assign, To: "ann\u202e"},
		"a long name":     {Kind: desk.Assign, To: strings.Repeat("a", 251)},
		"a bell":          {Kind: desk.Snooze, Text: "\x07"},
		"for ever":        {Kind: desk.Snooze, Until: now.Add(desk.LongestSnooze + time.Second)},
		"over already":    {Kind: desk.Snooze, Until: now},
	} {
		require.ErrorIs(t, d.Do(t.Context(), uuid.New(), nil, a), domain.ErrBadInput, name)
	}
}

func TestGroupsAreSnoozedUntilTheirTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	log := memlog.New()
	open := func() *desk.Desk {
		return desk.New(desk.Config{Log: log, Now: func() time.Time { return now }, Actor: func(context.Context) (string, error) { return "ann", nil }})
	}
	d, other := open(), open()
	groups := func(d *desk.Desk) map[string]desk.GroupSnooze {
		g, err := d.Groups(t.Context())
		require.NoError(t, err)
		return g
	}
	require.Empty(t, groups(d))
	g := cause.Group{Saga: "order", Step: "charge", Direction: domain.Do, Type: "*x.E", Cause: "card # gone"}
	_, err := d.SnoozeGroup(t.Context(), g, now.Add(time.Hour), "the bank is away")
	require.NoError(t, err)
	want := desk.GroupSnooze{Group: g.ID(), Saga: "order", Step: "charge", Direction: domain.Do, Type: "*x.E", Cause: "card # gone",
		Until: now.Add(time.Hour), Reason: "the bank is away", By: "ann", At: now}
	require.Equal(t, map[string]desk.GroupSnooze{g.ID(): want}, groups(d))
	require.Equal(t, groups(d), groups(other), "another process reads the same")

	now = now.Add(time.Hour)
	require.Empty(t, groups(d), "it has ended")
	_, err = other.SnoozeGroup(t.Context(), g, now.Add(time.Hour), "")
	require.NoError(t, err)
	require.Len(t, groups(d), 1)
	_, err = d.SnoozeGroup(t.Context(), g, time.Time{}, "it is back")
	require.NoError(t, err)
	require.Empty(t, groups(other), "somebody ended it")

	_, err = d.SnoozeGroup(t.Context(), g, now.Add(2*desk.LongestSnooze), "")
	require.ErrorIs(t, err, domain.ErrBadInput)
}

// TestAnEventOfANewerProgramIsPassedOver: it may mean something else.
func TestAnEventOfANewerProgramIsPassedOver(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	for _, e := range []domain.NewEvent{{Type: "atone.group_merged.v9", Data: []byte(`{"group":"x"}`)}, {Type: "atone.group_snoozed.v1", Data: []byte(`[`)}} {
		e.ID = uuid.New()
		_, err := log.Append(t.Context(), "atone-incidents", domain.AnyRevision, e)
		require.NoError(t, err)
	}
	d := desk.New(desk.Config{Log: log, Now: time.Now, Actor: func(context.Context) (string, error) { return "", errors.New("no") }})
	g, err := d.Groups(t.Context())
	require.NoError(t, err)
	require.Empty(t, g)
	_, err = d.SnoozeGroup(t.Context(), cause.Group{}, time.Time{}, "")
	require.ErrorContains(t, err, "no")
}
