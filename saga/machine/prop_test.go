package machine

import (
	"testing"

	"pgregory.net/rapid"
)

// TestEveryRunEndsByRuleEight lets random plans meet random outcomes, timeouts, losses, crashes,
// cancels, pauses, signals, people, duplicates and reorderings, and then calms down. On the way it
// holds Decide to changing nothing and to deciding alike after a reload, and the fold, the owed
// work and the snapshot to being the same after a reload; at the end, the run's end to the
// effects that exist.
func TestEveryRunEndsByRuleEight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := newSim(t)
		for range rapid.IntRange(0, 60).Draw(t, "disturbances") {
			x.disturb()
		}
		x.finish()
		x.checkEnd()
	})
}
