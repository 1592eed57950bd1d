package ordertest

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

func TestCallsFitOneOrder(t *testing.T) {
	t.Parallel()
	t.Run("one coordinator", func(t *testing.T) {
		t.Parallel()
		Check(t, memlog.New())
	})
	t.Run("three coordinators", func(t *testing.T) {
		t.Parallel()
		log := memlog.New()
		Check(t, log, log, log)
	})
}

// TestAWrongAnswerIsFound tells the model stories with one answer that cannot be.
func TestAWrongAnswerIsFound(t *testing.T) {
	t.Parallel()
	run, other := domain.NewRunID(), domain.NewRunID()
	begun := step{call{what: start, text: "a"}, answer{run: run}}
	said := func(id string) step { return step{call{what: signal, text: id, id: id}, answer{}} }
	refusing := func(s step, why string) step { s.out = answer{refused: why}; return s }
	returns := func(said ...string) step {
		return step{call{what: wait}, answer{output: append([]string{"a"}, said...)}}
	}
	full := []step{begun, said("1"), said("2"), said("3")}
	for name, story := range map[string]struct {
		fits  bool
		steps []step
	}{
		"all in order":                        {true, append(full, returns("1", "2", "3"), said("3"), refusing(said("4"), "ended"))},
		"two runs for one key":                {false, []step{begun, {call{what: start, text: "a"}, answer{run: other}}}},
		"another input is taken":              {false, []step{begun, {call{what: start, text: "b"}, answer{run: run}}}},
		"a run that is there is not found":    {false, []step{begun, refusing(said("1"), "no such run")}},
		"a signal before there is a run":      {false, []step{said("1"), begun}},
		"a signal is lost":                    {false, append(full, returns("1", "3", "4"))},
		"a repeat counts":                     {false, []step{begun, said("1"), said("1"), said("2"), said("3"), returns("1", "1", "2")}},
		"signals in another order":            {false, append(full, returns("2", "1", "3"))},
		"it ends before it has all it awaits": {false, []step{begun, said("1"), refusing(said("2"), "ended")}},
		"a signal too many before the end":    {true, append(full, refusing(said("4"), "past its awaits"), returns("1", "2", "3"))},
		"a signal refused that is awaited":    {false, []step{begun, said("1"), refusing(said("2"), "past its awaits")}},
		"a signal is taken after the end":     {false, append(full, returns("1", "2", "3"), said("4"))},
	} {
		var all []porcupine.Operation
		for i, s := range story.steps {
			all = append(all, porcupine.Operation{Input: s.in, Output: s.out, Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		require.Equal(t, story.fits, porcupine.CheckOperations(runModel, all), name)
	}
}

type step struct {
	in  call
	out answer
}
