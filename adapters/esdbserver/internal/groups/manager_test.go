package groups_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
)

func TestManagerBeforeItsStartIsNotReady(t *testing.T) {
	t.Parallel()
	m := groups.NewManager(nil, nil, nil, nil)
	_, err := m.Get("s", "g")
	require.ErrorIs(t, err, groups.ErrNotReady)
	_, err = m.List("")
	require.ErrorIs(t, err, groups.ErrNotReady)
	require.ErrorIs(t, m.Create(context.Background(), settings(), ""), groups.ErrNotReady)
}

func TestClosedManagerStaysClosed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.create(settings())
		w.Close()
		require.ErrorIs(t, w.Restart(w.ctx), groups.ErrNotReady)
		_, err := w.Get("s", "g")
		require.ErrorIs(t, err, groups.ErrNotReady)
	})
}
