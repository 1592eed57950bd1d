package machine

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestARunIsWokenForWhatComesFirst goes through everything that a run is woken for, and what it does then.
func TestARunIsWokenForWhatComesFirst(t *testing.T) {
	t.Parallel()
	beats, total := do("a"), do("a")
	beats.Action.HeartbeatTimeout = domain.Duration(3 * time.Second)
	total.Action.Retry.TotalTimeout = domain.Duration(4 * time.Second)
	await := &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &domain.AwaitSpec{Signal: "go", Timeout: domain.Duration(time.Hour), Default: json.RawMessage(`1`)}}
	sleep := &domain.Node{Kind: domain.KindSleep, Name: "rest"}
	for name, test := range map[string]struct {
		root  *domain.Node
		ops   string
		after time.Duration // the start
		phase Phase         // of the first step, once woken
	}{
		"an attempt's deadline":    {seq(do("a")), "", 11 * time.Second, Backoff},
		"a heartbeat":              {seq(beats), "", 3 * time.Second, Backoff},
		"all attempts' deadline":   {seq(total), "", 5 * time.Second, Failed},
		"a retry":                  {seq(do("a")), "fail a", time.Second, Backoff},
		"an undo's deadline":       {seq(do("a"), do("b")), "ok a; permanent b", 11 * time.Second, UndoBackoff},
		"an undo's retry":          {seq(do("a"), do("b")), "ok a; permanent b; undofail a", time.Second, UndoBackoff},
		"a sleep":                  {seq(sleep), "sleep rest", time.Hour, Done},
		"an await":                 {seq(await), "", time.Hour, Done},
		"no retry while it pauses": {seq(do("a")), "pause; fail a", 0, Backoff},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := play(t, test.root, test.ops)
			w := g.s.Wake()
			if test.after == 0 {
				require.True(t, w.Due.IsZero())
				return
			}
			require.Equal(t, test.after, w.Due.Sub(g.s.StartedAt))
			first := g.s.Step(test.root.Children[0].Name)
			before := len(g.h.facts)
			g.now = w.Due.Add(-1)
			g.decide(Tick{})
			require.Len(t, g.h.facts, before, "a little earlier nothing happens")
			g.now = w.Due
			g.decide(Tick{})
			require.Equal(t, test.phase, first.Phase)
		})
	}
}
