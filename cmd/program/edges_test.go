package program

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/saga"
)

// TestWhatSaysNothingOrTooMuchIsRefusedByTheCommandLine gives values that were taken for others, or
// for none.
func TestWhatSaysNothingOrTooMuchIsRefusedByTheCommandLine(t *testing.T) {
	t.Parallel()
	bom := filepath.Join(t.TempDir(), "bom.json")
	require.NoError(t, os.WriteFile(bom, []byte("\ufeff{\"n\": 1}"), 0o600))
	everywhere(t, func(t *testing.T, r commandLine) {
		r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "first", "-l", "tenant=a")
		for _, args := range [][]string{
			{"bulk", "cancel", "--older-than", "NaNd", "-r", "x", "--yes"},
			{"bulk", "cancel", "--older-than", "Infd", "-r", "x", "--yes"},
			{"bulk", "cancel", "--older-than", "1e300d", "-r", "x", "--yes"},
			{"bulk", "cancel", "--older-than", "-1h", "-r", "x", "--yes"},
			{"bulk", "cancel", "--older-than", "0", "-r", "x", "--yes"},
			{"bulk", "cancel", "-l", "tenant=a", "-l", "tenant=b", "-r", "x", "--yes"},
			{"bulk", "cancel", "--saga", "", "--older-than", "1ns", "-r", "x", "--yes"},
			{"bulk", "cancel", "--key-prefix", "", "--saga", "patient", "-r", "x", "--yes"},
			{"bulk", "cancel", "--action", "", "--saga", "patient", "-r", "x", "--yes"},
			{"bulk", "cancel", "--version", "0", "--saga", "patient", "-r", "x", "--yes"},
			{"bulk", "cancel", "--run", "", "--saga", "patient", "-r", "x", "--yes"},
			{"bulk", "cancel", "--saga", "patient", "-r", "\x1b[31m", "--yes"},
			{"bulk", "substitute", "--all", "--output-json", `{"a":1,"a":2}`, "--yes"},
			{"start", "patient", "-d", `{"n": 1, "n": 2}`},
			{"start", "patient", "-d", "{\"n\": \"\xff\"}"},
			{"start", "patient", "-d", "@" + bom},
			{"start", "patient", "-d", strings.Repeat("[", 1_001) + strings.Repeat("]", 1_001)},
			{"start", "patient", "-d", `{"n": 1}`, "--key", ""},
			{"start", "patient", "-d", `{"n": 1}`, "--key", "a\nb"},
			{"start", "patient", "-d", `{"n": 1}`, "-l", "tenant=a", "-l", "tenant=b"},
			{"start", "patient", "-d", `{"n": 1}`, "-l", "a\x01=b"},
			{"signal", "patient:first", "more", "-d", `{"n": 1}`, "--id", ""},
			{"signal", "patient:first", "mo\tre", "-d", `{"n": 1}`},
			{"emit", "a.b\x00", "-d", "1"},
			{"emit", "a.b", "-d", `{"a":1,"a":1}`},
			{"emit", "a.b", "--stream", "s\x07"},
			{"emit", "a.b", "--id", ""},
			{"runs", "--since", "NaNd"},
			{"runs", "--since", "9999-12-31"},
			{"runs", "--until", "1500-01-01"},
			{"runs", "-l", "tenant=a", "-l", "tenant=b"},
			{"audit", "--until", "9999-12-31T23:59:59-12:00"},
			{"stats", "--last", "-1h"},
			{"token", "create", "kim", "--scope", "read", "--expires-in", "0"},
			{"token", "create", "kim", "--scope", "read", "--expires-in", "NaNd"},
			{"token", "create", "kim", "--scope", "read", "--saga", ""},
		} {
			out, errs, code := r(args...)
			require.Equal(t, ExitUsage, code, "%q: %s", args, errs)
			require.Empty(t, out, "%q", args)
			require.NotContains(t, errs, "\x1b[31m", "%q", args)
		}
		var page wire.Page[wire.RunItem]
		out := r.ok(t, "runs", "-o", "json")
		require.NoError(t, json.Unmarshal([]byte(out), &page))
		require.Len(t, page.Items, 1, "nothing was started")
		require.Equal(t, "running", string(page.Items[0].State), "nothing was cancelled")
		require.Equal(t, map[string]string{"tenant": "a"}, page.Items[0].Labels)
		var report saga.BulkReport
		out = r.ok(t, "bulk", "pause", "-l", "tenant=a", "-l", "tenant=a", "-r", "x", "--yes", "-o", "json")
		require.NoError(t, json.Unmarshal([]byte(out), &report))
		require.Equal(t, 1, report.Done)
	})
}
