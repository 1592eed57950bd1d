package saga_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// checkKilled holds what the log says against what the ledger says.
func checkKilled(t *testing.T, dir string, generations int) {
	t.Helper()
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()

	states := map[string]*machine.State{}
	started := map[string]bool{} // attempts with a durable start
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
		case *domain.RunStarted:
			if e.Key != "" {
				require.Empty(t, keys[e.Saga+"/"+e.Key], "rule 6: %s was started twice", e.Key)
				keys[e.Saga+"/"+e.Key] = id.String()
			}
		}
	}
	lines, err := readLedger(dir)
	require.NoError(t, err)
	effects := map[string]map[string]bool{} // the effects that exist, by run and step
	undone := 0
	for _, l := range lines {
		require.True(t, started[fmt.Sprint(l.Run, l.Step, l.Dir, l.N)], "rule 1: %s %s %d of %s has no durable start", l.Step, l.Dir, l.N, l.Run)
		require.NotEqual(t, "cut short", l.What, "rule 12: the undo of %s in %s was cancelled", l.Step, l.Run)
		if effects[l.Run] == nil {
			effects[l.Run] = map[string]bool{}
		}
		switch l.What {
		case "did":
			effects[l.Run][l.Step] = true
		case "undid":
			undone++
			delete(effects[l.Run], l.Step)
		}
	}
	counts := map[domain.RunState]int{}
	for id, s := range states {
		require.True(t, s.End.Ended(), "rule 13: run %s has not ended", id)
		counts[s.End]++
		checkEffects(t, id, s, effects[id])
	}
	checkAcks(t, dir, states)
	require.GreaterOrEqual(t, len(keys), generations/2, "every second generation got somewhere")
	for _, end := range []domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled} {
		require.NotZero(t, counts[end], "no run ended %s: the test tests nothing", end)
	}
	t.Logf("%d kills, %d runs (%v), %d ledger lines, %d undos", generations-1, len(states), counts, len(lines), undone)
}

// checkEffects holds a run's end to the effects that exist: rule 8.
func checkEffects(t *testing.T, id string, s *machine.State, effects map[string]bool) {
	t.Helper()
	s.Steps(func(st *machine.Step) {
		if st.Node.Kind != domain.KindDo || st.Node.Action.Effect != domain.EffectUndo {
			return
		}
		if want := s.End == domain.RunIsCompleted && st.Phase == machine.Done; effects[st.Path] != want {
			t.Errorf("rule 8: run %s ended %s, %s is %s, its effect exists: %v", id, s.End, st.Path, st.Phase, effects[st.Path])
		}
		delete(effects, st.Path)
	})
	require.Empty(t, effects, "rule 1: run %s has effects of steps that it does not know", id)
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
