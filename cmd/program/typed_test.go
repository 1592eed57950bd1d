package program

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestErrorsAndFiguresSpeakOfWhatWasAsked and STUCK counts the stuck runs of a saga.
func TestErrorsAndFiguresSpeakOfWhatWasAsked(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		require.Regexp(t, `"calc",,,3,1,1,.*|calc,,,3,1,1,0,0,0,0,1,`, r.ok(t, "stats", "--saga", "calc", "-o", "csv"))
		_, errs, code := r("start", "calc", "--version", "7", "-d", `{"n": 1}`)
		require.Equal(t, ExitNotFound, code)
		require.Contains(t, errs, "the versions of calc are 1")
		require.NotContains(t, errs, "did you mean calc")
		_, errs, _ = r("runs", "age:abc")
		require.Contains(t, errs, "abc is no age: write age:>2h")
	})
}
