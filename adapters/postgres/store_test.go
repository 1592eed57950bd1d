package postgres_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/postgres"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/projections/runs"
)

func TestKeepsTheContractOfAStore(t *testing.T) {
	t.Parallel()
	projectiontest.Test(t, open)
}

func TestAKilledProjectionEqualsARebuild(t *testing.T) {
	t.Parallel()
	calm, _ := open(t)
	schema := fmt.Sprintf("k%d_%d", os.Getpid(), schemas.Add(1))
	projectiontest.Killed(t, clusterURL+" "+schema, func() projections.Store {
		s, err := postgres.Open(context.Background(), postgres.Config{URL: clusterURL, Schema: schema, MaxConns: 6})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}, calm)
}

func TestALeaseWhoseSessionEndsIsLost(t *testing.T) {
	t.Parallel()
	if noCluster != "" {
		t.Skip("PostgreSQL is NOT tested: " + noCluster)
	}
	ctx := t.Context()
	schema := fmt.Sprintf("l%d_%d", os.Getpid(), schemas.Add(1))
	s, err := postgres.Open(ctx, postgres.Config{URL: named(clusterURL, schema), Schema: schema, Beat: 10 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	lease, err := s.Lease(ctx, "runs")
	require.NoError(t, err)
	taken := make(chan projections.Lease, 1)
	go func() {
		next, err := s.Lease(ctx, "runs")
		if err == nil {
			taken <- next
		}
	}()
	admin, err := pgx.Connect(ctx, clusterURL)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close(context.Background())) }()
	select {
	case <-taken:
		require.Fail(t, "two had the lease")
	default:
	}
	_, err = admin.Exec(ctx, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = $1`, schema)
	require.NoError(t, err)
	<-lease.Lost()
	(<-taken).Release()
	lease.Release()
}

func TestATableThatSomebodyDroppedIsAnError(t *testing.T) {
	t.Parallel()
	if noCluster != "" {
		t.Skip("PostgreSQL is NOT tested: " + noCluster)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	schema := fmt.Sprintf("d%d_%d", os.Getpid(), schemas.Add(1))
	s, err := postgres.Open(ctx, postgres.Config{URL: clusterURL, Schema: schema})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	v := runs.View()
	n, err := s.Create(ctx, &v)
	require.NoError(t, err)
	admin, err := pgx.Connect(ctx, clusterURL)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close(context.Background())) }()
	_, err = admin.Exec(ctx, fmt.Sprintf(`DROP TABLE %s."runs$%d$runs"`, schema, n))
	require.NoError(t, err)
	_, err = s.Select(ctx, &v, projections.Query{Table: "runs"})
	require.ErrorContains(t, err, "runs$1$runs", "it is not looked for forever")
}

// named adds an application's name to a connection URL.
func named(url, name string) string {
	if strings.Contains(url, "?") {
		return url + "&application_name=" + name
	}
	return url + "?application_name=" + name
}
