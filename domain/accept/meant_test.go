package accept

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAMisspeltNameIsRecognised(t *testing.T) {
	t.Parallel()
	names := []string{"cancel", "incidents", "runs", "resume", "retry", "undo-preview"}
	for given, want := range map[string]string{
		"cancle": "cancel", "incident": "incidents", "rusn": "runs", "RUNS": "runs", "retyr": "retry", "undopreview": "undo-preview",
		"": "", "x": "", "deploy": "", strings.Repeat("runs", 1000): "",
	} {
		require.Equal(t, want, Meant(given, names), given)
	}
	require.Empty(t, Meant("runs", nil))
}
