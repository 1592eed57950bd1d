package logtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// suiteTimeout bounds each scenario, so that a log that loses a wake-up fails its test
// with a message instead of hanging.
const suiteTimeout = 60 * time.Second

// Suite is the contract of [domain.Log] as tests. Every adapter runs it; what it does
// not ask for, no caller may rely on.
//
// The suite works on a log that holds other events and is written to by others at the
// same time, a shared server for instance: it uses stream names of its own, and reads the
// whole log only through filters or from a position that it noted.
type Suite struct {
	// Open returns a log to test, at best an empty one of its own for each call. What needs
	// closing is closed by the function's own t.Cleanup. Required.
	Open func(t *testing.T) domain.Log

	// Reopen ends the given log the way a crash or a stop would, and opens the same data
	// again. When nil, the scenarios about durability are left out.
	Reopen func(t *testing.T, log domain.Log) domain.Log

	// NoRepeatPosition says that the engine answers a repeated append with the original
	// revision, but does not know the original position any more.
	NoRepeatPosition bool
}

// Test runs the whole contract that a log of any kind keeps, without the scenarios that
// need [Suite.Reopen].
func Test(t *testing.T, open func(t *testing.T) domain.Log) {
	t.Helper()
	Suite{Open: open}.Run(t)
}

// Run runs every scenario as a parallel subtest.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	require.NotNil(t, s.Open, "Suite.Open is required")
	groups := []struct {
		name      string
		scenarios []scenario
	}{
		{"append", appendScenarios},
		{"idempotency", repeatScenarios},
		{"concurrency", concurrencyScenarios},
		{"one order", linearScenarios},
		{"read", readScenarios},
		{"subscribe", subscribeScenarios},
		{"close", closeScenarios},
	}
	if s.Reopen != nil {
		groups = append(groups, struct {
			name      string
			scenarios []scenario
		}{"reopen", reopenScenarios})
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, sc := range group.scenarios {
				t.Run(sc.name, func(t *testing.T) {
					t.Parallel()
					sc.run(newLogTest(t, s))
				})
			}
		})
	}
}

// scenario is one named statement about a log.
type scenario struct {
	name string
	run  func(*logTest)
}
