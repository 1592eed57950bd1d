package empty_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui/internal/empty"
)

func TestCommandsAreQuotedForAShell(t *testing.T) {
	t.Parallel()
	p := &empty.Program{Name: "my shop", Server: "http://[::1]:7070", First: "it's", Input: json.RawMessage(`{"a":"$(id)"}`), MayStart: true}
	require.Equal(t, `'my shop' start 'it'\''s' -d '{"a":"$(id)"}' --server 'http://[::1]:7070'`, p.Runs(empty.Asked{}).Command)
	p = &empty.Program{Name: "shop", First: "order\u202e"}
	require.Empty(t, p.Runs(empty.Asked{}).Command, "it can't be copied from a page")
	require.Equal(t, "shop show 42", p.Payloads("42").Command)
	for _, none := range []string{"", "null"} {
		p = &empty.Program{Name: "shop", First: "charge", Action: true, Input: json.RawMessage(none)}
		require.Equal(t, "shop invoke charge", p.Stats("", "24h", false, "").Command)
	}
}

// TestAListThatIsBehindIsNotCalledEmpty: nobody knows yet.
func TestAListThatIsBehindIsNotCalledEmpty(t *testing.T) {
	t.Parallel()
	p := &empty.Program{Name: "shop", First: "order"}
	late := empty.Asked{Behind: "3s"}
	for name, page := range map[string]*empty.Page{"runs": p.Runs(late), "audit": p.Audit(late), "incidents": p.Incidents(late), "stats": p.Stats("", "", false, "3s")} {
		require.Contains(t, page.Say, "is behind", name)
		require.Empty(t, page.Command+page.Button, name)
	}
	late.Query = "x"
	require.Contains(t, p.Runs(late).Say, "No run matches")
	require.Equal(t, "/runs/1?at=7", p.Steps("1", "7", "find").Path)
	require.Equal(t, "/runs/1?tab=audit", p.Steps("1", "", "").Path)
	require.Contains(t, p.Incidents(empty.Asked{Older: true}).Say, "snoozed")
}
