package machine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// TestASnapshotsWidthIsBoundedByWhatItHolds: the room for children was made as wide as a snapshot
// says, and one damaged number took all memory.
func TestASnapshotsWidthIsBoundedByWhatItHolds(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("a")), "")
	g.S.Start.Plan = g.S.Plan.Hash()
	snap, err := machine.Snapshot(g.S)
	require.NoError(t, err)
	require.Contains(t, string(snap), `"width":1`)
	for _, width := range []string{"-1", "2", "60000000", "9000000000000000000"} {
		bad := strings.Replace(string(snap), `"width":1`, `"width":`+width, 1)
		_, err = machine.Restore(g.S.Plan, domain.RunID{1}, []byte(bad))
		require.ErrorContains(t, err, "room for "+width+" children")
	}
}
