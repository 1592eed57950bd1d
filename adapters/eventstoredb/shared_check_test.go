package eventstoredb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// sharedRuns is what the log says.
type sharedRuns struct {
	states  map[string]*machine.State
	started map[string]bool // attempts with a durable start
	keys    map[string]string
	events  map[string]int // runs by the event that started them
}

// foldShared folds every run and holds its chain of hashes.
func foldShared(t *testing.T, log domain.Log) *sharedRuns {
	t.Helper()
	s := &sharedRuns{states: map[string]*machine.State{}, started: map[string]bool{}, keys: map[string]string{}, events: map[string]int{}}
	chain := map[string]domain.ChainHash{}
	ctx := t.Context()
	for e, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		run, ok := domain.RunOfStream(e.Stream)
		require.True(t, ok)
		id := run.String()
		chain[id], err = domain.Verify(&e, chain[id])
		require.NoError(t, err, "rule 17")
		f, err := domain.DecodeFact(&e)
		require.NoError(t, err)
		switch e := f.Event.(type) {
		case *domain.RunStarted:
			plan, err := saga.ReadPlan(ctx, log, e.Plan)
			require.NoError(t, err)
			s.states[id] = machine.New(plan, run)
			if e.Trigger != nil {
				s.events[e.Trigger.Event]++
			}
			if e.Key != "" {
				require.Empty(t, s.keys[e.Saga+e.Key], "rule 6: %s was started twice", e.Key)
				s.keys[e.Saga+e.Key] = id
			}
		case *domain.AttemptStarted:
			s.started[fmt.Sprint(id, e.Step, e.Direction, e.Attempt)] = true
		}
		s.states[id] = machine.Evolve(s.states[id], f)
	}
	return s
}

// checkShared holds the log against the ledger of effects and what the processes were told.
func checkShared(t *testing.T, log domain.Log, dir string, placed []uuid.UUID) {
	t.Helper()
	runs := foldShared(t, log)
	lines, err := readEffects(dir)
	require.NoError(t, err)
	exist := map[string]map[string]bool{}
	for _, l := range lines {
		require.True(t, runs.started[fmt.Sprint(l.Run, l.Step, l.Dir, l.N)], "rule 1: %s %s %d of %s has no durable start", l.Step, l.Dir, l.N, l.Run)
		require.NotEqual(t, "cut short", l.What, "rule 12: the undo of %s in %s was cancelled", l.Step, l.Run)
		if exist[l.Run] == nil {
			exist[l.Run] = map[string]bool{}
		}
		switch l.What {
		case "did":
			exist[l.Run][l.Step] = true
		case "undid":
			delete(exist[l.Run], l.Step)
		}
	}
	counts := map[domain.RunState]int{}
	for id, s := range runs.states {
		require.True(t, s.End.Ended(), "rule 13: run %s has not ended", id)
		counts[s.End]++
		effects := exist[id]
		s.Steps(func(st *machine.Step) {
			if st.Node.Kind != domain.KindDo || st.Node.Action.Effect == domain.EffectNone {
				return
			}
			if want := s.End == domain.RunIsCompleted && st.Phase == machine.Done; effects[st.Path] != want {
				t.Errorf("rule 8: run %s ended %s, %s is %s, its effect exists: %v", id, s.End, st.Path, st.Phase, effects[st.Path])
			}
			delete(effects, st.Path)
		})
		require.Empty(t, effects, "rule 1: run %s has effects of steps that it does not know", id)
	}
	for _, event := range placed {
		require.Equal(t, 1, runs.events[event.String()], "runs of the event %s", event)
		require.NotNil(t, runs.states[domain.RunIDForEvent("ship", event).String()])
	}
	require.Len(t, runs.events, len(placed))
	for _, end := range []domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled} {
		require.NotZero(t, counts[end], "no run ended %s: the test tests nothing", end)
	}
	checkTold(t, dir, runs)
	t.Logf("%d runs (%v), %d of them for events, %d ledger lines", len(runs.states), counts, len(placed), len(lines))
}

// checkTold requires that what a process was told is so.
func checkTold(t *testing.T, dir string, runs *sharedRuns) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "acks"))
	require.NoError(t, err)
	ended := 0
	for l := range strings.Lines(string(b)) {
		words := strings.Fields(l)
		if len(words) < 2 || !strings.HasSuffix(l, "\n") {
			continue // cut short by a kill
		}
		require.NotEqual(t, "refused", words[0], l)
		s := runs.states[words[1]]
		require.NotNil(t, s, "%s was acknowledged but is not in the log", l)
		switch words[0] {
		case "cancelled":
			require.Equal(t, domain.RunIsCancelled, s.End, l)
		case "ended":
			ended++
			require.Equal(t, words[2], string(s.End), l)
		}
	}
	require.NotZero(t, ended)
}
