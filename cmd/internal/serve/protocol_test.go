package serve

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/saga"
)

// A coordinator elsewhere that may log in shares the log: the one here has to know, or each would
// take the other's work for lost.
func TestServingCoordinatorsSharesTheLog(t *testing.T) {
	t.Parallel()
	log, err := pebblelog.Open(t.TempDir(), pebblelog.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	users := func(role string) string {
		file := filepath.Join(t.TempDir(), "users.json")
		require.NoError(t, os.WriteFile(file, []byte(`[{"name": "shop", "password": "x", "role": "app"}, {"name": "b", "password": "y", "role": "`+role+`"}]`), 0o600))
		return file
	}
	for _, c := range []struct {
		role, node string
		shared     bool
		says       string
	}{
		{role: "admin"},
		{role: "coordinator", node: "a", shared: true},
		{role: "coordinator", says: "--node"},
	} {
		p := &protocol{addr: "127.0.0.1:0", users: users(c.role)}
		s := &host.Setup{Config: saga.Config{Node: c.node}}
		err := p.prepare(t.Context(), log, s)
		if c.says != "" {
			require.ErrorContains(t, err, c.says)
			require.ErrorAs(t, err, &console.UsageError{})
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.shared, s.Config.Shared, "%+v", c)
	}
}
