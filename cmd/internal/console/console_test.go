package console

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
)

type pair struct{ a, b string }

func pairs(c *Console) *Listing[pair] {
	return &Listing[pair]{Console: c, None: "none", Columns: []Column[pair]{
		{Name: "A", Text: func(p pair) string { return p.a }},
		{Name: "B", Text: func(p pair) string { return p.b }},
		{Name: "C", Wide: true, Text: func(p pair) string { return p.a + p.b }},
	}}
}

func TestTerminalIsNotObeyed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, pairs(&Console{Out: &out}).Page(wire.Page[pair]{Items: []pair{{"x\x1b[2J", "y\nz\u009b1m"}}}))
	require.Equal(t, "A           B\nx\\u001b[2J  y\\nz\\u009b1m\n", out.String())
}

func TestWideTablesHaveMoreColumns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, pairs(&Console{Out: &out, Output: FormatWide}).Page(wire.Page[pair]{Items: []pair{{"x", "y"}}}))
	require.Equal(t, "A  B  C\nx  y  xy\n", out.String())
}

// TestWideCharactersTakeTwoColumns: terminals show Chinese, Japanese and Korean characters and
// emoji in two columns, and combining ones in none.
func TestWideCharactersTakeTwoColumns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, pairs(&Console{Out: &out}).Page(wire.Page[pair]{Items: []pair{{"東京", "x"}, {"abcd", "y"}, {"e\u0301", "z"}}}))
	require.Equal(t, "A     B\n東京  x\nabcd  y\ne\u0301     z\n", out.String())
	require.Equal(t, "東…", tty.Cut("東京都", 4))
	require.Equal(t, "東京", tty.Cut("東京", 4))
	require.Empty(t, tty.Cut("東京", 0))
}

// TestColumnsFitTheTerminal has columns id (36, or 8), saga, state, started, took, key and why.
func TestColumnsFitTheTerminal(t *testing.T) {
	t.Parallel()
	columns := []span{
		{full: 36, short: 8, least: 36},
		{full: 12, short: 12, least: 12, rank: 1},
		{full: 12, short: 12, least: 12},
		{full: 7, short: 7, least: 7, rank: 2},
		{full: 6, short: 6, least: 6, rank: 3},
		{full: 20, short: 20, least: 20},
		{full: 90, short: 90, least: 24},
	}
	for _, c := range []struct {
		name string
		room int
		want []int
	}{
		{"all fits", 195, []int{36, 12, 12, 7, 6, 20, 90}},
		{"the id gets shorter, and the text is whole", 167, []int{8, 12, 12, 7, 6, 20, 90}},
		{"the text is cut", 130, []int{8, 12, 12, 7, 6, 20, 53}},
		{"columns are hidden by rank", 80, []int{8, 0, 12, 0, 0, 20, 34}},
		{"what is never hidden is cut", 60, []int{8, 0, 12, 0, 0, 20, 14}},
		{"and may be wider than the room", 20, []int{8, 0, 12, 0, 0, 20, 10}},
		{"no room at all", 0, []int{8, 0, 12, 0, 0, 20, 10}},
	} {
		require.Equal(t, c.want, fit(c.room, columns), c.name)
	}
	require.Empty(t, fit(80, nil))
}

func TestPlansAreConfirmed(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := &Console{In: strings.NewReader("y\n"), Out: &out, Err: &errs, Line: []string{"prog", "cancel", "a:b c", "--token", "t0p", "--token=t0p"}}
	p := Plan{Does: "cancel run a:b", Value: map[string]int{"n": 1}, Show: func(c *Console) error {
		_, err := c.Out.Write([]byte("the plan\n"))
		return err
	}}
	require.NoError(t, c.Confirm(t.Context(), p, true))
	require.Empty(t, errs.String())
	require.ErrorIs(t, c.Confirm(t.Context(), p, false), ErrUnconfirmed, "a pipe is no terminal: whatever comes from it is no answer")
	require.Equal(t, "the plan\n", errs.String())
	require.Empty(t, out.String())
	c.Output = FormatJSON
	require.ErrorIs(t, c.Confirm(t.Context(), p, false), ErrUnconfirmed)
	require.JSONEq(t, `{"plan": {"n": 1}, "done": false, "next_steps": [{"command": "prog cancel 'a:b c' --yes", "why": "does it"}]}`, out.String())
}

func TestNextStepsAreAddedToObjects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		want string
	}{
		{map[string]int{}, `{"next_steps": [{"why": "rest"}]}`},
		{map[string]string{"a": "<}"}, `{"a": "<}", "next_steps": [{"why": "rest"}]}`},
		{[]int{1}, `[1]`},
	} {
		var out bytes.Buffer
		require.NoError(t, (&Console{Out: &out}).PrintJSON(c.v, Step{Why: "rest"}))
		require.JSONEq(t, c.want, out.String())
		require.True(t, json.Valid(out.Bytes()))
	}
}

func TestTimesAreToldAsOneLikes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := &Console{}
	for d, want := range map[time.Duration]string{
		0: "now", -90*time.Second - 500*time.Millisecond: "1m ago", -5*time.Hour - time.Minute: "5h ago", -72 * time.Hour: "3d ago",
		2*time.Hour + time.Minute: "in 2h",
	} {
		require.Equal(t, want, c.When(now.Add(d)), d)
	}
	require.Empty(t, c.When(time.Time{}))
	at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	require.Equal(t, "2026-01-31 08:00:00", (&Console{UTC: true}).When(at))
	require.Equal(t, "2026-01-31 08:00:00 UTC", (&Console{UTC: true}).Instant(at))
	var out bytes.Buffer
	l := &Listing[time.Time]{Console: &Console{Out: &out, UTC: true}, Columns: []Column[time.Time]{{Name: "AT", Time: func(t time.Time) time.Time { return t }}}}
	require.NoError(t, l.Page(wire.Page[time.Time]{Items: []time.Time{at}}))
	require.Equal(t, "AT UTC\n2026-01-31 08:00:00\n", out.String())
}

func TestRunsAreWrittenAsTheyWereTyped(t *testing.T) {
	t.Parallel()
	c := &Console{}
	id, err := c.ParseRun("order:4711")
	require.NoError(t, err)
	require.Equal(t, domain.RunIDForKey("order", "4711"), id)
	require.Equal(t, "run order:4711 is gone", c.AsTyped("run "+id.String()+" is gone"))
	require.Equal(t, "order:4711", c.TypedOnly())
	_, err = c.ParseRun("order:4712")
	require.NoError(t, err)
	require.Empty(t, c.TypedOnly(), "either could be meant")
}

func TestPayloadsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line    string
		command bool
	}{
		{"p resolve a:b s --substitute {}", false}, {"p resolve a:b s --substitute={}", false}, {"p start x -d{}", false}, {"p start x -d 1", false},
		{"p start x -d @f", true}, {"p start x --data-json=@f", true}, {"p start x -d -", true}, {"p cancel a:b --data dir", true},
	} {
		step := (&Console{Line: strings.Fields(c.line)}).AgainStep("does it", "--yes")
		require.Equal(t, c.command, step.Command != "", c.line)
		require.Contains(t, Text([]Step{step}), "--yes")
	}
}
