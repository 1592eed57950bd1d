package machine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

func TestPhasesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for p := machine.Idle; p <= machine.ProbeBackoff; p++ {
		text, err := p.MarshalText()
		require.NoError(t, err)
		var got machine.Phase
		require.NoError(t, got.UnmarshalText(text))
		require.Equal(t, p, got)
	}
	require.Error(t, new(machine.Phase).UnmarshalText([]byte("lost")))
}

// TestEveryStateCanBeExplainedAndPreviewed: at every moment of a random run there is a sentence,
// and a preview that comes to an end.
func TestEveryStateCanBeExplainedAndPreviewed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		machine.RandomWalk(t, 10, 40, func(s *machine.State, now time.Time, again func() *machine.State) {
			before := machine.Dump(s)
			if r := explain.Why(s, now); r.Text == "" || r.State != s.Status() {
				t.Fatalf("no reason: %+v", r)
			}
			p := explain.PreviewCancel(again(), now)
			if machine.Dump(s) != before {
				t.Fatal("asking changed the state")
			}
			checkPreview(t, s, &p)
		})
	})
}

func checkPreview(t *rapid.T, s *machine.State, p *explain.Preview) {
	refused := s.PastPivot && !s.Turning
	switch {
	case refused != (p.Refused != ""):
		t.Fatalf("past the pivot %v, turning %v, but refused: %q", s.PastPivot, s.Turning, p.Refused)
	case p.Refused != "" || p.Pending:
		return
	case !p.Ends.Ended() && p.Ends != domain.RunIsStuck:
		t.Fatalf("the preview ends %s: %+v\n%s", p.Ends, p.Steps, machine.Dump(s))
	}
	undone := map[string]bool{}
	for _, st := range p.Steps {
		// A late success has an undo in flight repeated.
		if st.Do == explain.MoveUndo && undone[st.Step] && !s.Step(st.Step).UndoAgain() {
			t.Fatalf("%s is undone twice", st.Step)
		}
		undone[st.Step] = undone[st.Step] || st.Do == explain.MoveUndo
	}
	s.Steps(func(st *machine.Step) { // whatever is done and can be undone is in the preview
		if p.Ends.Ended() && st.Phase == machine.Done && st.Node.Kind == domain.KindDo && !st.Handler && st.Node.Action.Effect == domain.EffectUndo && !undone[st.Path] {
			t.Fatalf("%s is done, but the preview does not undo it: %+v", st.Path, p.Steps)
		}
	})
}
