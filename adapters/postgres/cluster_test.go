package postgres_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/postgres"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
)

// envURL names a database to test with instead of a cluster that the tests start themselves.
const envURL = "ATONE_TEST_POSTGRES"

var (
	clusterURL string
	noCluster  string // why there is none
	schemas    atomic.Int64
)

func TestMain(m *testing.M) {
	if name, child := projectiontest.ChildOf(); child {
		url, schema, _ := strings.Cut(name, " ")
		store, err := postgres.Open(context.Background(), postgres.Config{URL: url, Schema: schema})
		if err != nil {
			panic(err)
		}
		os.Exit(projectiontest.Child(store))
	}
	stop := func() {}
	if clusterURL = os.Getenv(envURL); clusterURL == "" {
		clusterURL, stop, noCluster = startCluster()
	}
	code := m.Run()
	stop()
	os.Exit(code)
}

// startCluster starts a PostgreSQL of its own in a temporary directory, or says what is missing.
func startCluster() (url string, stop func(), missing string) {
	nothing := func() {}
	for _, program := range []string{"initdb", "pg_ctl"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", nothing, fmt.Sprintf("%s is not installed and %s is not set: install PostgreSQL's server programs, or set %s to a connection string", program, envURL, envURL)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "atone-pg")
	if err != nil {
		return "", nothing, err.Error()
	}
	remove := func() { _ = os.RemoveAll(dir) }
	run := func(program string, args ...string) error {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		if os.Getuid() == 0 { // PostgreSQL refuses to run as root
			if err := unprivileged(cmd, dir); err != nil {
				return err
			}
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", program, err, out)
		}
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		remove()
		return "", nothing, err.Error()
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"); err != nil {
		remove()
		return "", nothing, err.Error()
	}
	options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c fsync=off -c max_connections=300", port, dir)
	if err := run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		remove()
		return "", nothing, err.Error()
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), func() {
		if err := run("pg_ctl", "-D", data, "-m", "immediate", "stop"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		remove()
	}, ""
}

// unprivileged has the program run by the user postgres, or nobody.
func unprivileged(cmd *exec.Cmd, dir string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return fmt.Errorf("neither a user postgres nor nobody to run PostgreSQL as: %w", err)
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(dir, uid, gid)
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
