package look

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
)

// TestStatisticsFitATerminal, since the names of sagas and actions may be cut.
func TestStatisticsFitATerminal(t *testing.T) {
	t.Parallel()
	for _, c := range statListing(&access.Env{Console: &console.Console{}}).Columns {
		if c.Name == "SAGA" || c.Name == "ACTION" {
			require.True(t, c.Long, c.Name)
		}
	}
}
