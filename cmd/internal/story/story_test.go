package story

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	told "github.com/atonehq/atone/projections/story"
)

func line(t *testing.T, r told.Line) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Print(&out, tty.Palette{}, &r))
	return out.String()
}

func TestRowsReadWell(t *testing.T) {
	t.Parallel()
	require.Equal(t, "    +0.000s  ●  started: buy v1  by ada  ← {n: 1}\n",
		line(t, told.Line{What: "run.started", Note: "buy v1", Actor: "ada", Input: json.RawMessage(`{"n":1}`)}))
	require.Equal(t, "    +1.500s  ✘  undo of pay, attempt 2: failed in 20ms: gone; retry in 1s\n",
		line(t, told.Line{What: "attempt.failed", Offset: 1500 * time.Millisecond, Step: "pay", Direction: domain.Undo, Attempt: 2, Took: 20 * time.Millisecond, Error: "gone", Note: "retry in 1s"}))
	require.Equal(t, "    +0.000s  ↶  undo of pay\n",
		line(t, told.Line{What: "attempt.started", Step: "pay", Direction: domain.Undo, Attempt: 1, Input: json.RawMessage(`{"n":1}`)}))
	require.Equal(t, "    +0.000s  ·  of.tomorrow\n", line(t, told.Line{What: "of.tomorrow"}))
}

func TestPayloadsAreCutAndTamed(t *testing.T) {
	t.Parallel()
	require.Contains(t, line(t, told.Line{What: "run.started", Input: json.RawMessage(`{"n":"\u003ca\u003e"}`)}), "{n: <a>}", "as a person wrote it")
	long := line(t, told.Line{What: "run.completed", Output: json.RawMessage(`"` + strings.Repeat("ü", 500) + `"`)})
	require.Less(t, len([]rune(long)), 130)
	require.Contains(t, long, "…")
	hostile := line(t, told.Line{What: "attempt.failed", Step: "x", Error: "\x1b[2J\u202eboo\n"})
	require.Equal(t, "    +0.000s  ✘  x: failed: \\u001b[2J\\u202eboo\\n\n", hostile)
}

// TestEveryLookIsOfAnEvent keeps the table in step with the wire names.
func TestEveryLookIsOfAnEvent(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, name := range domain.WireNames() {
		known[name[:strings.LastIndex(name, ".v")]] = true
	}
	for name := range looks {
		require.True(t, known[name], name)
	}
}
