package diagram

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryPhaseHasAColour(t *testing.T) {
	t.Parallel()
	styles := map[string]bool{}
	for _, c := range classStyles {
		styles[c[0]] = true
	}
	for phase, class := range classOf {
		require.True(t, styles[class], phase)
	}
	for p := range strings.SplitSeq("ready running backoff probing waiting active failed stuck done skipped ignored undoing undone untouched left", " ") {
		require.NotEmpty(t, classOf[p], p)
	}
}
