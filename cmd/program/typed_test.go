package program

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestErrorsAndFiguresSpeakOfWhatWasAsked and STUCK counts the stuck runs of a saga.
func TestErrorsAndFiguresSpeakOfWhatWasAsked(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, r commandLine) {
		withRuns(t, r)
		rows, err := csv.NewReader(strings.NewReader(r.ok(t, "stats", "--saga", "calc", "-o", "csv"))).ReadAll()
		require.NoError(t, err)
		require.Equal(t, "1", rows[1][slices.Index(rows[0], "stuck")], "%q", rows)
		_, errs, code := r("start", "calc", "--version", "7", "-d", `{"n": 1}`)
		require.Equal(t, ExitNotFound, code)
		require.Contains(t, errs, "the versions of calc are 1")
		require.NotContains(t, errs, "did you mean calc")
		_, errs, _ = r("runs", "age:abc")
		require.Contains(t, errs, "abc is not a duration: write age:>2h")
	})
}
