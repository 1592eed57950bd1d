package look

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// TestAListTellsTimesInTheReadersZone, also those of what runs wait for.
func TestAListTellsTimesInTheReadersZone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	run := wire.RunItem{State: domain.RunRunning, Waiting: "said by the server in UTC",
		Steps: []wire.RunStep{{Step: "nap", WaitsFor: explain.ForTime, Since: now, Due: now.Add(90 * time.Minute)}}}
	require.Contains(t, runWhy(&run, now, explain.ClockIn(now, time.FixedZone("EAST", 2*3600))), "13:30:00 EAST")
	run.State, run.Waiting, run.Reason = domain.RunIsAbandoned, "", "it burnt down"
	require.Equal(t, "it burnt down", runWhy(&run, now, nil))
}
