package machine_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/machine/judge"
	"github.com/atonehq/atone/saga/machine/machinetest"
)

// TestTheJudgeSaysTheSame has a second fold, written from the formats and the rules alone, read the
// events of random runs: it finds no rule broken, and says the same of each run after each event.
func TestTheJudgeSaysTheSame(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]int{"plans of many steps": 10, "plans of few, to which more happens": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				var r *judge.Run
				machine.RandomRun(t, steps, 60, func(plan *domain.Plan, f domain.Fact, s *machine.State) {
					if r == nil {
						r = judge.New(plan)
					}
					raw, err := json.Marshal(f.Event)
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("%d %s %s", f.Revision, f.Event.WireName(), raw)
					for _, broken := range r.Take(f) {
						t.Errorf("%s", broken)
					}
					if d := machinetest.Disagreement(s, r); d != "" {
						t.Fatalf("they disagree after revision %d:\n%s", f.Revision, d)
					}
				})
			})
		})
	}
}
