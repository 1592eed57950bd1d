package sagatest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest"
)

func TestScenarios(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		sagatest.Given(t, checkout, purchase{ID: "1"}, sagatest.Does(chargeCard, receipt{"c-1"})).
			ThenCalls("reserve-items", "charge-card").
			ThenIs(domain.RunIsCompleted).
			ThenLeaves("reserve-items", "charge-card").
			Then(func(k *sagatest.Kit, run *sagatest.Run[receipt]) { require.Equal(t, "c-1", run.Completed().Charge) })

		sagatest.Given(t, checkout, purchase{ID: "1"}, sagatest.Refuses(chargeCard, errors.New("no money"))).
			ThenCalls("reserve-items", "charge-card", "undo reserve-items").
			ThenIs(domain.RunIsCompensated).
			ThenLeaves()

		sagatest.Given(t, checkout, purchase{}, sagatest.TimesOutDone(chargeCard, 1)).
			ThenCalls("reserve-items", "charge-card", "probe charge-card").
			ThenIs(domain.RunIsCompleted)

		sagatest.Given(t, checkout, purchase{}, sagatest.Fails(chargeCard, 3, errors.New("closed"))).
			ThenIs(domain.RunRunning).
			WhenAllIsDue().
			ThenCalls("reserve-items", "charge-card", "charge-card", "charge-card", "probe charge-card", "undo reserve-items").
			ThenIs(domain.RunIsCompensated)

		sagatest.Given(t, approved, purchase{}).
			WhenTimePasses(29*24*time.Hour).
			WhenCrashed().
			ThenIs(domain.RunRunning).
			WhenCancelled("no").
			ThenCalls("reserve-items", "undo reserve-items").
			ThenIs(domain.RunIsCancelled).
			ThenLeaves()

		sagatest.Given(t, approved, purchase{}, sagatest.UndoRefuses(reserveItems, errors.New("burnt down"))).
			WhenCancelled("no").
			ThenIs(domain.RunIsStuck).
			ThenLeaves("reserve-items")
	})
}

// TestEffectsAreLeftInAnyOrder has siblings, whose effects come about in any order.
func TestEffectsAreLeftInAnyOrder(t *testing.T) {
	t.Parallel()
	both := saga.Define("both", 1, func(f *saga.Flow, in saga.Ref[purchase]) saga.Ref[saga.None] {
		saga.Parallel(f, func(f *saga.Flow) { saga.Do(f, reserveItems, in.In) }, func(f *saga.Flow) { saga.Do(f, reserveItems, in.In, saga.Name("more")) })
		return saga.Ref[saga.None]{}
	})
	s := sagatest.Given(t, both, purchase{ID: "1"}).ThenIs(domain.RunIsCompleted)
	s.ThenLeaves("reserve-items", "more")
	s.ThenLeaves("more", "reserve-items")
	require.Contains(t, failed(t, func(t testing.TB) {
		sagatest.Given(t, both, purchase{ID: "1"}).ThenLeaves("more", "more")
	}), "the effects left differ")
}

func TestAScenarioThatBeginsWithAStory(t *testing.T) {
	everywhere(t, func(t *testing.T) {
		var events []domain.Event
		sagatest.Given(t, approved, purchase{ID: "1"}).Then(func(k *sagatest.Kit, run *sagatest.Run[bool]) {
			events = k.Events(run.ID)
		})
		sagatest.GivenEvents(t, approved, events).
			WhenCancelled("no").
			ThenCalls("undo reserve-items").
			ThenIs(domain.RunIsCancelled).
			ThenLeaves()
		sagatest.GivenEvents(t, approved, events).
			WhenSignalled("approval", true).
			ThenCalls().
			ThenIs(domain.RunIsCompleted).
			ThenLeaves("reserve-items")
	})
}

// failing is a test that notes its failure instead of failing.
type failing struct {
	testing.TB
	said strings.Builder
}

type gaveUp struct{}

func (f *failing) Fatalf(format string, args ...any) {
	fmt.Fprintf(&f.said, format, args...)
	panic(gaveUp{})
}

// saysOf returns what a test says that must fail.
func saysOf(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	f := &failing{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != (gaveUp{}) {
				panic(p)
			}
		}()
		test(f)
	}()
	require.NotEmpty(t, f.said.String(), "the test has not failed")
	return f.said.String()
}

func TestAFailedScenarioMarksTheFirstDifferenceAndTellsTheStory(t *testing.T) {
	t.Parallel()
	says := saysOf(t, func(t testing.TB) {
		sagatest.Given(t, checkout, purchase{ID: "1"}, sagatest.Refuses(chargeCard, errors.New("no money"))).
			ThenCalls("reserve-items", "charge-card")
	})
	require.Contains(t, says, `the calls differ at 3:
     wanted         got
     reserve-items  reserve-items
     charge-card    charge-card
  ▶  –              undo reserve-items
`)
	require.Contains(t, says, "attempt.failed #1")
	require.Contains(t, says, "no money")

	says = saysOf(t, func(t testing.TB) { sagatest.Given(t, approved, purchase{}).ThenIs(domain.RunIsCompleted) })
	require.Contains(t, says, "the run is running, not completed")
	require.Contains(t, says, "approval")
}

func TestWhatDoesNotComeAboutFailsWithAReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		test func(t testing.TB)
		says string
	}{
		"a stand-in for an action of another saga": {func(t testing.TB) { sagatest.StandFor(sagatest.New(t, approved), chargeCard) }, `no saga or action of this kit uses the action "charge-card"`},
		"no such signal": {func(t testing.TB) {
			k := sagatest.New(t, approved)
			sagatest.StandFor(k, reserveItems)
			sagatest.Start(k, approved, purchase{}).WaitsFor("permission")
		}, "does not wait for permission"},
		"another end": {func(t testing.TB) {
			k := sagatest.New(t, approved)
			sagatest.StandFor(k, reserveItems)
			sagatest.Start(k, approved, purchase{}).Compensated()
		}, "the run is completed, not compensated"},
		"backwards": {func(t testing.TB) { sagatest.New(t, approved).Advance(-1) }, "only goes forward"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, saysOf(t, c.test), c.says)
		})
	}
}
