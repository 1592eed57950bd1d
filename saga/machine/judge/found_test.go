package judge_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine/judge"
	"github.com/atonehq/atone/saga/machine/machinetest"
)

// TestTheJudgeFindsWhatIsWrong gives the judge histories that no machine may write, and what it
// must say of the last event. Up to there nothing is wrong.
func TestTheJudgeFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	start := func(step string, dir domain.Direction, n int) domain.Event {
		return &domain.AttemptStarted{Step: step, Direction: dir, Attempt: n, Action: step}
	}
	done := func(step string, dir domain.Direction, n int) domain.Event {
		return &domain.AttemptSucceeded{Step: step, Direction: dir, Attempt: n, Output: []byte(`1`)}
	}
	failed := func(step string, n int, doubt bool) domain.Event {
		return &domain.AttemptFailed{Step: step, Direction: domain.Do, Attempt: n, Cause: domain.Failure{Kind: domain.FailurePermanent, InDoubt: doubt}}
	}
	back := &domain.RunTurnedBack{Cause: domain.Failure{Kind: domain.FailurePermanent}}
	both := []domain.Event{start("a", domain.Do, 1), done("a", domain.Do, 1), start("b", domain.Do, 1), done("b", domain.Do, 1)}
	after := func(events ...domain.Event) []domain.Event { return append(both[:4:4], events...) }

	for name, c := range map[string]struct {
		events []domain.Event
		says   string
	}{
		"a step before the one before it":  {[]domain.Event{start("b", domain.Do, 1)}, "before a"},
		"an attempt too many in the count": {[]domain.Event{start("a", domain.Do, 2)}, "follows attempt 0"},
		"two in flight":                    {[]domain.Event{start("a", domain.Do, 1), start("a", domain.Do, 2)}, "in flight"},
		"a try that nothing announced":     {[]domain.Event{start("a", domain.Do, 1), failed("a", 1, false), start("a", domain.Do, 2)}, "nothing says so"},
		"an outcome out of nowhere":        {[]domain.Event{done("a", domain.Do, 1)}, "was not started"},
		"an outcome told twice":            {[]domain.Event{start("a", domain.Do, 1), done("a", domain.Do, 1), done("a", domain.Do, 1)}, "succeeds once"},
		"a step that the plan lacks":       {[]domain.Event{start("c", domain.Do, 1)}, "no step"},
		"another action":                   {[]domain.Event{&domain.AttemptStarted{Step: "a", Direction: domain.Do, Attempt: 1, Action: "b"}}, "does not call"},
		"a history with nothing wrong":     {after(&domain.RunCompleted{}), ""},
		"half of it completed":             {append(both[:2:2], &domain.RunCompleted{}), "not all"},
		"an undo going forward":            {after(start("a", domain.Undo, 1)), "not turned back"},
		"undos out of order":               {after(back, start("a", domain.Undo, 1)), "before b"},
		"an undo of nothing":               {[]domain.Event{start("a", domain.Do, 1), failed("a", 1, false), back, start("a", domain.Undo, 1)}, "has no effect"},
		"an effect left behind":            {after(back, start("b", domain.Undo, 1), done("b", domain.Undo, 1), &domain.RunCompensated{}), "the effect of a is in place"},
		"a doubt left behind":              {[]domain.Event{start("a", domain.Do, 1), failed("a", 1, true), back, &domain.RunCompensated{}}, "the effect of a is in doubt"},
		"a late effect left behind": {[]domain.Event{start("a", domain.Do, 1), failed("a", 1, false), back,
			&domain.OutcomeLate{Step: "a", Direction: domain.Do, Attempt: 1}, &domain.RunCompensated{}}, "the effect of a is in place"},
		"forward after the turn":    {[]domain.Event{start("a", domain.Do, 1), done("a", domain.Do, 1), back, start("b", domain.Do, 1)}, "being turned back"},
		"a second turn":             {after(back, back), "turns back once"},
		"an end with one in flight": {[]domain.Event{start("a", domain.Do, 1), back, &domain.RunCompensated{}}, "in flight"},
		"cancelled by nobody":       {[]domain.Event{back, &domain.RunCancelled{}}, "turned back because"},
		"a second end":              {after(&domain.RunCompleted{}, &domain.RunCompleted{}), "ends once"},
		"a start while paused":      {[]domain.Event{&domain.RunPaused{}, start("a", domain.Do, 1)}, "paused"},
		"a signal twice":            {[]domain.Event{&domain.SignalReceived{Signal: "s", ID: "1"}, &domain.SignalReceived{Signal: "s", ID: "1"}}, "counts once"},
		"a person settles what is not stuck": {[]domain.Event{start("a", domain.Do, 1), failed("a", 1, false),
			&domain.StepResolved{Step: "a", Direction: domain.Do, How: domain.ResolveSkip}}, "not stuck"},
		"abandoned in silence": {append(both[:2:2], &domain.RunAbandoned{Reason: "hopeless"}), "the effect of a is left"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := &domain.Plan{Saga: "two", Version: 1, Root: machinetest.Seq(machinetest.Do("a"), machinetest.Do("b"))}
			require.NoError(t, plan.Index())
			r := judge.New(plan)
			says := r.Take(domain.Fact{Event: &domain.RunStarted{}})
			for i, e := range c.events {
				require.Empty(t, says, "before revision %d", i+1)
				says = r.Take(domain.Fact{Event: e, Revision: uint64(i + 1)})
			}
			if c.says == "" {
				require.Empty(t, says)
				return
			}
			require.Contains(t, strings.Join(says, "; "), c.says)
		})
	}
}
