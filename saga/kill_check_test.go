package saga_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// checkKilled holds what the log says against what the ledger says.
func checkKilled(t *testing.T, dir string, kills int) {
	t.Helper()
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()

	states := map[string]*machine.State{}
	started := map[string]bool{} // attempts with a durable start
	done := map[string]bool{}
	keys := map[string]string{}
	ctx := context.Background()
	for e, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		id, ok := domain.RunOfStream(e.Stream)
		require.True(t, ok)
		if states[id.String()] == nil {
			states[id.String()] = checkStream(t, log, id) // rule 17, and attempts one by one
		}
		f, err := domain.DecodeFact(&e)
		require.NoError(t, err)
		switch e := f.Event.(type) {
		case *domain.AttemptStarted:
			started[fmt.Sprint(id, e.Step, e.Direction, e.Attempt)] = true
			require.False(t, e.Direction == domain.Do && done[fmt.Sprint(id, e.Step)], "%s of %s is done once more", e.Step, id)
		case *domain.AttemptSucceeded:
			done[fmt.Sprint(id, e.Step)] = done[fmt.Sprint(id, e.Step)] || e.Direction == domain.Do
		case *domain.RunStarted:
			if e.Key != "" {
				require.Empty(t, keys[e.Saga+"/"+e.Key], "rule 6: %s was started twice", e.Key)
				keys[e.Saga+"/"+e.Key] = id.String()
			}
		}
	}
	lines, err := readLedger(dir)
	require.NoError(t, err)
	world := newEffects()
	for _, l := range lines {
		require.True(t, started[fmt.Sprint(l.Run, l.Step, l.Dir, l.N)], "rule 1: %s %s %d of %s has no durable start", l.Step, l.Dir, l.N, l.Run)
		require.NotEqual(t, cutShort, l.What, "rule 12: the undo of %s in %s was cancelled", l.Step, l.Run)
		world.fold(l)
	}
	counts, anew := map[domain.RunState]int{}, 0
	for id, s := range states {
		require.True(t, s.End.Ended(), "rule 13: run %s has not ended", id)
		counts[s.End]++
		s.Steps(func(st *machine.Step) { anew += st.Undos })
		checkEffects(t, s, world)
	}
	require.Empty(t, world.there, "there are effects under keys that no step has")
	checkAcks(t, dir, states)
	require.GreaterOrEqual(t, len(keys), kills/2, "every second generation got somewhere")
	for _, end := range []domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled} {
		require.NotZero(t, counts[end], "no run ended %s: the test tests nothing", end)
	}
	require.Positive(t, anew, "no undo was owed anew: the test tests nothing")
	t.Logf("%d kills, %d runs (%v), %d undos owed anew, ledger: %v", kills, len(states), counts, anew, world.count)
}

// checkEffects holds a run's end to the effects that exist, and to those that may, for all that the run was told:
// rule 8. It takes the run's effects out of the world.
func checkEffects(t *testing.T, s *machine.State, world *effects) {
	t.Helper()
	s.Steps(func(st *machine.Step) {
		if st.Node.Kind != domain.KindDo || st.Node.Action.Effect == domain.EffectNone {
			return
		}
		key := domain.IdempotencyKey(s.Run, st.Path, domain.Do)
		exists, want := world.there[key] > 0, s.End == domain.RunIsCompleted && st.Phase == machine.Done
		switch {
		case exists != want:
			t.Errorf("rule 8: run %s ended %s, %s is %s, its effect exists: %v", s.Run, s.End, st.Path, st.Phase, exists)
		case !want && st.Node.Action.Effect == domain.EffectUndo && len(world.maybe[key]) > 0:
			t.Errorf("rule 11: run %s ended %s, %s is %s, and its attempts %v may have had their effect after the last undo",
				s.Run, s.End, st.Path, st.Phase, slices.Sorted(maps.Keys(world.maybe[key])))
		}
		delete(world.there, key)
	})
}

// checkAcks requires that what somebody was told is so: rules 1 and 13.
func checkAcks(t *testing.T, dir string, states map[string]*machine.State) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "acks"))
	require.NoError(t, err)
	ended := 0
	for l := range strings.Lines(string(b)) {
		words := strings.Fields(l)
		s := states[words[1]]
		require.NotNil(t, s, "%s was acknowledged but is not in the log", l)
		switch words[0] {
		case "started":
			require.Equal(t, words[2], s.Start.Saga)
		case "cancelled":
			require.Equal(t, domain.RunIsCancelled, s.End, "%s", l)
		case "ended":
			ended++
			require.Equal(t, words[2], string(s.End), "%s", l)
		}
	}
	require.NotZero(t, ended)
}
