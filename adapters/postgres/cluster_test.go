package postgres_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/postgres"
	"github.com/atonehq/atone/adapters/postgres/postgrestest"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

var (
	clusterURL string
	noCluster  string // why there is none
	schemas    atomic.Int64
)

func TestMain(m *testing.M) {
	killtest.BeChild(projectiontest.Children(func(name string) (projections.Store, error) {
		url, schema, _ := strings.Cut(name, " ")
		return postgres.Open(context.Background(), postgres.Config{URL: url, Schema: schema})
	}))
	var stop func()
	clusterURL, stop, noCluster = postgrestest.Start()
	code := m.Run()
	stop()
	os.Exit(code)
}

// open opens a store in a schema of its own.
func open(t *testing.T) (projections.Store, func() projections.Store) {
	t.Helper()
	if noCluster != "" {
		t.Skip("PostgreSQL is NOT tested: " + noCluster)
	}
	schema := fmt.Sprintf("t%d_%d", os.Getpid(), schemas.Add(1))
	again := func() projections.Store {
		s, err := postgres.Open(context.Background(), postgres.Config{URL: clusterURL, Schema: schema, MaxConns: 6})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	return again(), again
}
