package program

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAWaitAfterAnActShowsWhatTheActLedTo, to the end, and nothing of what was before.
func TestAWaitAfterAnActShowsWhatTheActLedTo(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		_, errs, code := r("retry", "calc:evil", "--wait")
		require.Equal(t, ExitStuck, code, errs)
		require.NotContains(t, errs, "started: calc")
		require.NotContains(t, errs, "too much")
		require.Regexp(t, `(?s)^ +\+[0-9.]+s  \S+  [^\n]*gets new attempts[^\n]*\n.*undo of double, attempt 2: failed[^\n]*it can't be halved[^\n]*\n[^\n]*stuck[^\n]*\nprog: `, errs)

		for _, line := range []string{"retry calc:evil --timeout 3s", "cancel patient:calm --below --yes", "start patient --timeout 3s", "start-again calc:dear -q"} {
			_, errs, code = r(strings.Fields(line)...)
			require.Equal(t, ExitUsage, code, line)
			require.Contains(t, errs, "is about the wait: give --wait, too", line)
		}
	})
}
