package program

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAMisspeltNameIsNeverNothingFound whatever the command and the flag.
func TestAMisspeltNameIsNeverNothingFound(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		r.ok(t, "start", "calc", "-d", `{"n": 21}`, "--key", "good", "--wait", "-q")
		for _, args := range [][]string{
			{"runs", "--saga", "clac"}, {"runs", "--parent", "clac:good"}, {"runs", "parent:clac:good"}, {"export", "--saga", "clac"},
			{"incidents", "--saga", "clac"}, {"audit", "--saga", "clac"}, {"stats", "--saga", "clac"},
			{"bulk", "retry", "--saga", "clac", "--reason", "r", "--yes"}, {"bulk", "pause", "--run", "clac:good", "--reason", "r", "--yes"},
			{"show", "clac:good"}, {"why", "clac:good"}, {"audit", "clac:good"}, {"pause", "clac:good", "--reason", "r"},
		} {
			_, errs, code := r(args...)
			require.Contains(t, errs, "did you mean calc?", args)
			require.Contains(t, []Exit{ExitUsage, ExitNotFound}, code, args)
		}
		for _, args := range [][]string{{"runs", "--action", "duble"}, {"stats", "--action", "duble"}, {"audit", "--action", "duble"}} {
			_, errs, code := r(args...)
			require.Contains(t, errs, "did you mean double?", args)
			require.Equal(t, ExitUsage, code, args)
		}
		_, errs, code := r("audit", "--what", "run.pausd")
		require.Contains(t, errs, "did you mean run.paused?")
		require.Equal(t, ExitUsage, code)
	})
}
