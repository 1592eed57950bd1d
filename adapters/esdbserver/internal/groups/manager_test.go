package groups_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
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

// Keys are STREAM::GROUP, and names may have colons: a group is found by its own names only, or one
// could be consumed by the right to another stream.
func TestGroupIsFoundByItsOwnNamesOnly(t *testing.T) {
	inWorld(t, func(w *world) {
		s := settings(func(s *groups.Settings) { s.Stream, s.Group = "secret::s", "g" })
		require.NoError(t, w.Create(w.ctx, s, "me"))
		_, err := w.Get("secret", "s::g")
		require.ErrorIs(t, err, groups.ErrNotFound)
		require.ErrorIs(t, w.Manager.Delete(w.ctx, "secret", "s::g", "me"), groups.ErrNotFound)
		s.Stream, s.Group = "secret", "s::g"
		require.ErrorIs(t, w.Create(w.ctx, s, "me"), groups.ErrExists, "its streams would be the other's")
		_, err = w.Get("secret::s", "g")
		require.NoError(t, err)
	})
}

// leaving cancels a context as soon as the configuration was written.
type leaving struct {
	domain.Log
	cancel context.CancelFunc
}

func (l *leaving) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	done, err := l.Log.Append(ctx, stream, expected, events...)
	if stream == "$persistentSubscriptionConfig" {
		l.cancel()
	}
	return done, err
}

func TestCallerThatLeavesLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &leaving{Log: memlog.New()}
		w := begin(t, log)
		defer func() { w.halt() }()
		w.write("s", 1, 1)
		caller := func() context.Context {
			var ctx context.Context
			ctx, log.cancel = context.WithCancel(w.ctx)
			return ctx
		}
		require.NoError(t, w.Create(caller(), settings(), "me"))
		c := w.connect(w.group("s"), 1)
		require.Equal(t, []int{1}, got(c))
		require.NoError(t, w.Update(caller(), settings(), "me"))
		c = w.connect(w.group("s"), 1)
		require.Equal(t, []int{1}, got(c))
		require.NoError(t, w.Manager.Delete(caller(), "s", "g", "me"))
		_, err := w.Get("s", "g")
		require.ErrorIs(t, err, groups.ErrNotFound)
	})
}
