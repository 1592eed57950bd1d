package machine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestAbandonedChildIsLeftBehind: a person closed the child with its effects, so its parent says so.
func TestAbandonedChildIsLeftBehind(t *testing.T) {
	t.Parallel()
	child := &domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}
	g := play(t, seq(do("a"), child), "ok a; child child abandoned; undone a")
	require.Equal(t, domain.RunIsCompensated, g.s.Status())
	require.Equal(t, []string{"child"}, g.s.Left)
}
