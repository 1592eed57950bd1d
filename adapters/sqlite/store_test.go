package sqlite_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

func TestMain(m *testing.M) {
	killtest.BeChild(projectiontest.Children(func(dir string) (projections.Store, error) { return sqlite.Open(sqlite.Config{Dir: dir}) }))
	goleak.VerifyTestMain(m)
}

func TestAKilledProjectionEqualsARebuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	calm, _ := open(t)
	projectiontest.Killed(t, dir, func() projections.Store {
		s, err := sqlite.Open(sqlite.Config{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}, calm)
}

// open opens a store in a directory of its own.
func open(t *testing.T) (projections.Store, func() projections.Store) {
	t.Helper()
	dir := t.TempDir()
	again := func() projections.Store {
		s, err := sqlite.Open(sqlite.Config{Dir: dir})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	return again(), again
}

func TestKeepsTheContractOfAStore(t *testing.T) {
	t.Parallel()
	projectiontest.Test(t, open)
}
