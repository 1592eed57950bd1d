package machine_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// TestARunIsWokenForWhatComesFirst goes through everything that a run is woken for, and what it
// does then.
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
		phase machine.Phase // of the first step, once woken
	}{
		"an attempt's deadline":    {seq(do("a")), "", 11 * time.Second, machine.Backoff},
		"a heartbeat":              {seq(beats), "", 3 * time.Second, machine.Backoff},
		"all attempts' deadline":   {seq(total), "", 5 * time.Second, machine.Failed},
		"a retry":                  {seq(do("a")), "fail a", time.Second, machine.Backoff},
		"an undo's deadline":       {seq(do("a"), do("b")), "ok a; permanent b", 11 * time.Second, machine.UndoBackoff},
		"an undo's retry":          {seq(do("a"), do("b")), "ok a; permanent b; undofail a", time.Second, machine.UndoBackoff},
		"a sleep":                  {seq(sleep), "sleep rest", time.Hour, machine.Done},
		"an await":                 {seq(await), "", time.Hour, machine.Done},
		"no retry while it pauses": {seq(do("a")), "pause; fail a", 0, machine.Backoff},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := play(t, test.root, test.ops)
			w := g.S.Wake()
			if test.after == 0 {
				require.True(t, w.Due.IsZero())
				return
			}
			require.Equal(t, test.after, w.Due.Sub(g.S.StartedAt))
			first := g.S.Step(test.root.Children[0].Name)
			before := len(g.Facts)
			g.Now = w.Due.Add(-1)
			g.Decide(machine.Tick{})
			require.Len(t, g.Facts, before, "a little earlier nothing happens")
			g.Now = w.Due
			g.Decide(machine.Tick{})
			require.Equal(t, test.phase, first.Phase)
		})
	}
}
