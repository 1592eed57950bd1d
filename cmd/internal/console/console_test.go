package console

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTerminalIsNotObeyed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &Console{Out: &out}
	require.NoError(t, c.Table([][]string{{"A", "B"}, {"x\x1b[2J", "y\nz\u009b1m"}}))
	require.Equal(t, "A      B\nx·[2J  y·z·1m\n", out.String())
}
