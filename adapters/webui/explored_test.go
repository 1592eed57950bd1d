package webui_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/saga/evidence"
)

// TestDefinitionsSayWhatExplorationsFound: never, or with which build, in grey where another one
// runs, and in red what is broken; texts of authors stay texts.
func TestDefinitionsSayWhatExplorationsFound(t *testing.T) {
	t.Parallel()
	var known *evidence.Evidence
	w := newWorld(t, func(c *webui.Config) {
		known = evidence.New(evidence.Config{Log: c.Log.(evidence.Log), Build: evidence.Build{Version: "v2", Revision: "4567"}})
		c.Evidence = known
	})
	record := func(saga string, change func(*evidence.Exploration)) {
		info, err := w.c.Saga(saga, 0)
		require.NoError(t, err)
		e := evidence.Exploration{Version: info.Version, Plan: info.Hash, Build: evidence.Build{Version: "v2", Revision: "0123"}, Schedules: []int{1, 59, 4500}, Of: []int{59, 4500}}
		change(&e)
		_, err = known.Record(t.Context(), saga, info.Hash, e, "<i>ann</i>")
		require.NoError(t, err)
	}
	_, body, _ := w.get("/ui/sagas")
	require.Contains(t, body, `<p class="small explored muted">never explored</p>`)
	record("order", func(*evidence.Exploration) {})
	record("tour", func(e *evidence.Exploration) {
		e.Broken, e.Others = &evidence.Violation{Invariant: "<b>money</b> is conserved", Text: "<script>", Schedule: "pay do #1 = failed"}, 1
	})
	_, body, _ = w.get("/ui/sagas")
	require.Contains(t, body, `<p class="small explored muted">explored: 4,560 schedules, 0 broken, with build v2 (0123); running v2 (4567)</p>`)
	require.Contains(t, body, `<p class="small explored bad">✗ explored: 4,560 schedules, 2 broken, with build v2 (0123); running v2 (4567)</p>`)
	_, body, _ = w.get("/ui/sagas/tour")
	require.Contains(t, body, "&lt;b&gt;money&lt;/b&gt; is conserved: &lt;script&gt;")
	require.Contains(t, body, "when <code>pay do #1 = failed</code>")
	require.Contains(t, body, "Recorded by &lt;i&gt;ann&lt;/i&gt;")
}
