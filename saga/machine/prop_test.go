package machine

import (
	"testing"

	"pgregory.net/rapid"
)

// TestEveryRunEndsByRuleEight lets random plans meet random outcomes, timeouts, losses, crashes,
// cancels, pauses, signals, people, duplicates and reorderings, and then calms down. On the way it
// checks that Decide changes nothing, and that after a reload the decisions, the fold, the owed
// work and the snapshot are the same. At the end it compares the run's end with the effects that
// exist.
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
