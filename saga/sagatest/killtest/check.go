package killtest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/machine/judge"
	"github.com/atonehq/atone/saga/machine/machinetest"
)

// Runs are the runs of a log, when all have ended.
type Runs struct {
	// States are the folded runs.
	States map[domain.RunID]*machine.State
	// Events counts the runs that each event has started, by its id.
	Events map[string]int
	// Undos is how many undos were owed anew, after an effect that came late.
	Undos int

	started map[string]bool // attempts with a durable start
	keys    map[string]domain.RunID
}

// Check holds the log against the ledger and against what callers were told, both in the directory:
// rules 1, 6, 8, 11, 12, 13 and 17. It requires that runs have ended in each of the three ways.
func Check(t testing.TB, log saga.Log, dir string) *Runs {
	t.Helper()
	runs := Judge(t, log)
	lines, err := all[line](ledgerIn(dir))
	require.NoError(t, err)
	world := newEffects()
	for _, l := range lines {
		require.True(t, runs.started[fmt.Sprint(l.Run, l.Step, l.Dir, l.N)], "rule 1: %s %s %d of %s has no durable start", l.Step, l.Dir, l.N, l.Run)
		require.NotEqual(t, CutShort, l.What, "rule 12: the undo of %s in %s was cancelled", l.Step, l.Run)
		world.fold(l)
	}
	counts := map[domain.RunState]int{}
	for id, s := range runs.States {
		require.True(t, s.End.Ended(), "rule 13: run %s has not ended", id)
		counts[s.End]++
		s.Steps(func(st *machine.Step) { runs.Undos += st.Undos })
		checkEffects(t, s, world)
	}
	require.Empty(t, world.there, "there are effects under keys that no step has")
	checkTold(t, dir, runs)
	for _, end := range []domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled} {
		require.NotZero(t, counts[end], "no run ended %s: the test tests nothing", end)
	}
	t.Logf("%d runs (%v), %d undos owed anew, ledger: %v", len(runs.States), counts, runs.Undos, world.count)
	return runs
}

// Judge folds every run of a log that is at rest, verifies its chain of hashes, and has a judge
// read it too. It fails the test where the machine and the judge differ.
func Judge(t testing.TB, log saga.Log) *Runs {
	t.Helper()
	r := &Runs{States: map[domain.RunID]*machine.State{}, Events: map[string]int{}, started: map[string]bool{}, keys: map[string]domain.RunID{}}
	judges := map[domain.RunID]*judge.Run{}
	chain := map[domain.RunID]domain.ChainHash{}
	done := map[string]bool{}
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		id, ok := domain.RunOfStream(e.Stream)
		require.True(t, ok)
		chain[id], err = domain.Verify(&e, chain[id])
		require.NoError(t, err, "rule 17")
		f, err := domain.DecodeFact(&e)
		require.NoError(t, err)
		switch e := f.Event.(type) {
		case *domain.RunStarted:
			plan, err := saga.ReadPlan(t.Context(), log, e.Plan)
			require.NoError(t, err)
			r.States[id], judges[id] = machine.New(plan, id), judge.New(plan)
			if e.Trigger != nil {
				r.Events[e.Trigger.Event]++
			}
			if e.Key != "" {
				require.Empty(t, r.keys[e.Saga+"/"+e.Key], "rule 6: %s was started twice", e.Key)
				r.keys[e.Saga+"/"+e.Key] = id
			}
		case *domain.AttemptStarted:
			r.started[fmt.Sprint(id, e.Step, e.Direction, e.Attempt)] = true
			require.False(t, e.Direction == domain.Do && done[fmt.Sprint(id, e.Step)], "%s of %s is done once more", e.Step, id)
		case *domain.AttemptSucceeded:
			done[fmt.Sprint(id, e.Step)] = done[fmt.Sprint(id, e.Step)] || e.Direction == domain.Do
		}
		r.States[id] = machine.Evolve(r.States[id], f)
		require.Empty(t, judges[id].Take(f), "the judge of run %s, revision %d: %s", id, f.Revision, e.Data)
		require.Empty(t, machinetest.Disagreement(r.States[id], judges[id]), "machine and judge of run %s after revision %d", id, f.Revision)
	}
	return r
}

// checkEffects holds a run's end to the effects that exist, and to those that may exist, whatever
// the run was told. It takes the run's effects out of the world.
func checkEffects(t testing.TB, s *machine.State, world *effects) {
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

// checkTold requires that what a caller was told is so: rules 1 and 13.
func checkTold(t testing.TB, dir string, runs *Runs) {
	t.Helper()
	lines, err := all[told](toldIn(dir))
	require.NoError(t, err)
	ended := 0
	for _, l := range lines {
		require.Empty(t, l.Refused, "a start was refused")
		s := runs.States[l.Run]
		require.NotNil(t, s, "the log does not have what a caller was told: %+v", l)
		switch {
		case l.Saga != "":
			require.Equal(t, l.Saga, s.Start.Saga)
		case l.Cancelled != "":
			require.Equal(t, domain.RunIsCancelled, s.End, "a caller was told that %s is cancelled", l.Run)
		default:
			ended++
			require.Equal(t, l.End, s.End, "a caller was told how %s ended", l.Run)
		}
	}
	require.NotZero(t, ended, "no caller was told of an end: the test tests nothing")
}
