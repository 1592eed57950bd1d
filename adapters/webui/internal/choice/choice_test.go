package choice_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui/internal/choice"
	"github.com/atonehq/atone/saga/desk"
)

func TestBoxesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	run, incident := uuid.New(), uuid.NewString()
	for _, c := range []choice.Choice{{Group: "607c4165de7b20db"}, {Run: run, Incident: incident, Step: "ship/3/a label"}} {
		got, err := choice.Read(c.Value())
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	got, err := choice.Read(run.String() + " charge card")
	require.NoError(t, err)
	require.Equal(t, choice.Choice{Run: run, Step: "charge card"}, got)
	require.Equal(t, run.String(), got.Target())
	require.Equal(t, incident, choice.Choice{Run: run, Incident: incident}.Target())
	require.Equal(t, "607c4165de7b20db", choice.Choice{Group: "607c4165de7b20db"}.Target())
	for _, bad := range []string{"", "x", "607C4165DE7B20DB", "all of them"} {
		_, err := choice.Read(bad)
		require.ErrorIs(t, err, choice.ErrNone, bad)
	}
}

func TestFormsOfTheDesk(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for fields, want := range map[string]desk.Act{
		"act=note&reason=+asked+":          {Kind: desk.Note, Text: "asked"},
		"act=take":                         {Kind: desk.Assign, To: "ann"},
		"act=assign&to=+bob+&reason=night": {Kind: desk.Assign, To: "bob", Text: "night"},
		"act=assign":                       {Kind: desk.Assign},
		"act=snooze&for=1d":                {Kind: desk.Snooze, Until: now.Add(24 * time.Hour)},
		"act=wake&for=1d":                  {Kind: desk.Snooze},
	} {
		form, err := url.ParseQuery(fields)
		require.NoError(t, err)
		got, ok, err := choice.Act(form, "ann", now)
		require.NoError(t, err, fields)
		require.True(t, ok, fields)
		require.Equal(t, want, got, fields)
	}
	for fields, want := range map[string]string{
		"act=note&reason=+": "write the note", "act=snooze": "how long", "act=snooze&for=-1h": "how long", "act=snooze&for=9999d": "366 days",
		"act=assign&to=" + strings.Repeat("x", 300): "nothing was done", "act=take&reason=%00": "nothing was done",
	} {
		form, err := url.ParseQuery(fields)
		require.NoError(t, err)
		_, ok, err := choice.Act(form, "ann", now)
		require.True(t, ok, fields)
		require.ErrorContains(t, err, want, fields)
	}
	_, ok, err := choice.Act(url.Values{"act": {"retry"}}, "ann", now)
	require.NoError(t, err)
	require.False(t, ok)
}
