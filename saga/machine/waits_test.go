package machine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine/internal/due"
)

// checkWaits compares the index of waiting steps with what a walk over all of them finds.
func checkWaits(s *State) error {
	var flying, children, events, undos int
	var timers, instants, retries, irreversible, awaits []string
	for _, l := range []*list{&s.todo, &s.watch} {
		for st := l.head; st != nil; st = st.nxt {
			at := st.waitsUntil()
			switch {
			case st.Node.Kind == domain.KindChild && (st.Phase == Waiting || st.Phase == Undoing):
				children++
			case st.Phase == Running, st.Phase == Undoing, st.Phase == Probing:
				flying++
			}
			if st.Phase == Waiting && st.Node.Kind == domain.KindAwait {
				awaits = append(awaits, st.Path)
				if st.Event != "" {
					events++
				}
			}
			if a := st.Node.Action; a != nil && a.Effect == domain.EffectIrreversible && st.Node.Accepted == "" && !st.Handler &&
				(slices.Contains([]Phase{Running, ProbeDue, Probing, ProbeBackoff}, st.Phase) ||
					st.InDoubt && slices.Contains([]Phase{Ready, Backoff, Failed, Stuck}, st.Phase)) {
				irreversible = append(irreversible, st.Path)
			}
			if st.Phase >= UndoDue && st.Phase <= UndoStuck {
				undos++
			}
			switch {
			case at.IsZero():
			case st.Phase == Backoff || st.Phase == UndoBackoff || st.Phase == ProbeBackoff:
				retries = append(retries, st.Path+" "+at.String())
			case st.Instant && st.Phase == Waiting:
				instants = append(instants, st.Path+" "+at.String())
			default:
				timers = append(timers, st.Path+" "+at.String())
			}
		}
	}
	is := func(steps []*Step) (paths []string) {
		for _, st := range steps {
			paths = append(paths, st.Path)
		}
		return paths
	}
	isTimed := func(steps *due.Heap[*Step]) (paths []string) {
		steps.Each(func(st *Step, at time.Time) { paths = append(paths, st.Path+" "+at.String()) })
		return paths
	}
	var isAwaits []string
	for _, steps := range s.waits.awaits {
		isAwaits = append(isAwaits, is(steps)...)
	}
	text := func(parts ...[]string) string {
		for _, p := range parts {
			slices.Sort(p)
		}
		return fmt.Sprintf("%d %d %d %d %q", flying, children, events, undos, parts)
	}
	want := text(timers, instants, retries, irreversible, awaits)
	flying, children, events, undos = s.waits.flying, s.waits.children, s.waits.events, s.waits.undos
	if is := text(isTimed(&s.waits.timers), isTimed(&s.waits.instants), isTimed(&s.waits.retries), is(s.waits.irreversible), isAwaits); is != want {
		return fmt.Errorf("the index of waiting steps says\n%s\nand a walk finds\n%s", is, want)
	}
	return nil
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// manyItems is a run of an each whose items do one action, all under way at once.
func manyItems(t *testing.T, n int) *State {
	t.Helper()
	act := &domain.ActionSpec{Name: "work", Effect: domain.EffectNone, Retry: domain.RetryPolicy{MaxAttempts: 3}}
	plan := &domain.Plan{Saga: "many", Version: 1, Root: &domain.Node{Kind: domain.KindSequence, Children: []*domain.Node{
		{Name: "item", Kind: domain.KindEach, Children: []*domain.Node{{Name: "work", Kind: domain.KindDo, Action: act}}}}}}
	require.NoError(t, plan.Index())
	s := New(plan, domain.NewRunID())
	fold := func(e domain.Event) {
		s = Evolve(s, domain.Fact{Event: e, Meta: domain.Meta{At: now}, Revision: uint64(s.Revision + 1)})
	}
	fold(&domain.RunStarted{Saga: "many", Version: 1, Plan: plan.Hash()})
	fold(&domain.ItemsListed{Step: "item", Items: make([]json.RawMessage, n), Last: true})
	return s
}

// TestParkedStepsAreOwedButNotTold: a step without a slot stays out of Todo, the run is busy all
// the same, and one after the other comes back, in the order in which they came up.
func TestParkedStepsAreOwedButNotTold(t *testing.T) {
	t.Parallel()
	s := manyItems(t, 4)
	told := func() (paths []string) {
		s.Todo(now, func(d Duty, st *Step) bool {
			if d != End {
				paths = append(paths, st.Path)
			}
			return true
		})
		return paths
	}
	all := told()
	require.Len(t, all, 4)
	for _, p := range slices.Backward(all) {
		s.Park(s.Step(p), false)
	}
	require.Empty(t, told())
	require.True(t, s.Wake().Busy)
	s.Unpark(func(Calls) bool { return true })
	require.Empty(t, told(), "its action is to be skipped")
	for i := range all {
		s.Unpark(func(Calls) bool { return false })
		require.Equal(t, all[:i+1], told())
	}
	s.Park(s.Step(all[1]), false)
	b, err := Snapshot(s)
	require.NoError(t, err)
	require.Equal(t, 4, strings.Count(string(b[strings.Index(string(b), `"todo"`):]), "item/"), "a snapshot has them")
	require.NoError(t, checkWaits(s))
	s.Park(s.Step(all[0]), false)
	s.Park(s.Step(all[2]), false)
	s = Evolve(s, domain.Fact{Event: &domain.RunTurnedBack{}, Meta: domain.Meta{At: now}, Revision: uint64(s.Revision + 1)})
	require.Empty(t, told(), "what was parked had no effect")
	require.NoError(t, checkWaits(s))
}

// TestParkedRetryWakesTheRunWhenItIsDue: a retry without a slot is still when the run next needs
// attention.
func TestParkedRetryWakesTheRunWhenItIsDue(t *testing.T) {
	t.Parallel()
	s := manyItems(t, 2)
	fold := func(e domain.Event) {
		s = Evolve(s, domain.Fact{Event: e, Meta: domain.Meta{At: now}, Revision: uint64(s.Revision + 1)})
	}
	for i := range 2 {
		step := fmt.Sprintf("item/%d/work", i)
		fold(&domain.AttemptStarted{Step: step, Direction: domain.Do, Attempt: 1, Input: json.RawMessage(`1`)})
		fold(&domain.AttemptFailed{Step: step, Direction: domain.Do, Attempt: 1, RetryAt: now.Add(time.Duration(i) * time.Second)})
	}
	before := s.Wake()
	s.Park(s.Step("item/0/work"), false)
	require.Equal(t, before, s.Wake())
	s.Todo(now, func(_ Duty, st *Step) bool { t.Errorf("%s is told", st.Path); return true })
	s.Unpark(func(Calls) bool { return false })
	require.NoError(t, checkWaits(s))
	n := 0
	s.Todo(now, func(Duty, *Step) bool { n++; return true })
	require.Equal(t, 1, n)
}

// TestWhatIsHeldIsNotAtWork: a step that a person holds keeps its run busy, so that it is looked
// after, but the run is not at work, and no retry of it wakes the run.
func TestWhatIsHeldIsNotAtWork(t *testing.T) {
	t.Parallel()
	s := manyItems(t, 2)
	fold := func(e domain.Event) {
		s = Evolve(s, domain.Fact{Event: e, Meta: domain.Meta{At: now}, Revision: uint64(s.Revision + 1)})
	}
	fold(&domain.AttemptStarted{Step: "item/0/work", Direction: domain.Do, Attempt: 1, Input: json.RawMessage(`1`)})
	fold(&domain.AttemptFailed{Step: "item/0/work", Direction: domain.Do, Attempt: 1, RetryAt: now.Add(time.Second)})
	s.Park(s.Step("item/0/work"), true)
	require.True(t, s.AtWork(), "the other item can start")
	s.Park(s.Step("item/1/work"), true)
	require.False(t, s.AtWork())
	require.True(t, s.Wake().Busy)
	require.True(t, s.Owes())
	require.Zero(t, s.Wake().Due)
	require.NoError(t, checkWaits(s))
	s.Unpark(func(c Calls) bool { return c.Undo })
	require.True(t, s.AtWork())
	s.Park(s.Step("item/1/work"), false)
	require.True(t, s.AtWork(), "it waits for a place, as others do")
	s.Unpark(func(Calls) bool { return false })
	require.Equal(t, now.Add(time.Second), s.Wake().Due)
	require.NoError(t, checkWaits(s))
}
