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
	for name, steps := range map[string]int{"plans of many steps": 10, "plans of few, to which more happens": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyRunEnds(t, steps)
		})
	}
}

func everyRunEnds(t *testing.T, steps int) {
	rapid.Check(t, func(t *rapid.T) {
		x := newSim(t, steps)
		for range rapid.IntRange(0, 60).Draw(t, "disturbances") {
			x.disturb()
		}
		x.finish()
		x.checkEnd()
	})
}
