package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

func TestMain(m *testing.M) {
	MaybeChild()
	os.Exit(m.Run())
}

// TestEveryScenarioMeasures runs each scenario small; what it measures is not asserted.
func TestEveryScenarioMeasures(t *testing.T) {
	for scenario, runs := range map[string]string{"s1": "200", "s2": "20", "s3": "50", "s4": "5", "s5": "50"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cmd := Command()
			cmd.SetOut(&out)
			cmd.SetArgs([]string{"--scenario", scenario, "--runs", runs, "--callers", "4", "--data", t.TempDir(), "--json"})
			require.NoError(t, cmd.ExecuteContext(t.Context()))
			var r map[string]any
			require.NoError(t, json.Unmarshal(out.Bytes(), &r))
			for _, key := range []string{"runs_per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_seconds_per_1000_runs", "peak_rss_mb", "disk_bytes_per_run"} {
				require.Positive(t, r[key], key)
			}
			require.Positive(t, r["log_ceiling_runs_per_second"])
			require.Positive(t, r["ratio_to_ceiling"])
		})
	}
}

// benched runs the command and returns its JSON.
func benched(t *testing.T, args ...string) map[string]any {
	t.Helper()
	var out bytes.Buffer
	cmd := Command()
	cmd.SetOut(&out)
	cmd.SetArgs(append(args, "--data", t.TempDir(), "--json"))
	require.NoError(t, cmd.ExecuteContext(t.Context()))
	var r map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	return r
}

func TestEventStoreDBsClientIsMeasuredAgainstItself(t *testing.T) {
	t.Parallel()
	for scenario, runs := range map[string]string{"e1": "200", "e2": "3000"} {
		r := benched(t, "--scenario", scenario, "--runs", runs)
		for _, key := range []string{"events_per_second", "client_ceiling_per_second", "ratio_to_ceiling", "peak_rss_mb"} {
			require.Positive(t, r[key], "%s of %s", key, scenario)
		}
	}
}

func TestViewsAreMeasured(t *testing.T) {
	t.Parallel()
	r := benched(t, "--scenario", "p1", "--runs", "60")
	require.Positive(t, r["events_per_second"])
	require.Len(t, r["view_events_per_second"], len(views.All()))
	r = benched(t, "--scenario", "p2", "--runs", "60")
	require.Positive(t, r["events_per_second"])
	require.Len(t, r["view_events_per_second"], 2)
	r = benched(t, "--scenario", "s1", "--projections", "--runs", "90", "--callers", "4")
	for _, key := range []string{"runs_per_second", "runs_per_second_without_projections", "ratio_with_projections", "ratio_to_ceiling"} {
		require.Positive(t, r[key], key)
	}
}

func TestRunsAreMeasuredOnEventStoreDB(t *testing.T) {
	t.Parallel()
	r := benched(t, "--scenario", "s1", "--log", "esdb", "--runs", "60", "--callers", "4")
	require.Positive(t, r["runs_per_second"])
	require.Positive(t, r["ratio_to_ceiling"])
}

func TestStartsAreMeasured(t *testing.T) {
	t.Parallel()
	r := benched(t, "--scenario", "s6", "--runs", "30000")
	starts := r["starts"].(map[string]any)
	require.Len(t, starts, 2)
	for log, s := range starts {
		s := s.(map[string]any)
		require.Positive(t, s["first_seconds"], log)
		require.Greater(t, s["first_read_events"], 14_000.0, log)
		require.Positive(t, s["second_seconds"], log)
		require.Less(t, s["second_read_events"], 100.0, log)
	}
}

func TestLogIsForRunsOnly(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Options{Scenario: "e1", Log: "esdb"})
	require.ErrorContains(t, err, "leave them out")
}

func TestUnknownScenarioIsRefused(t *testing.T) {
	t.Parallel()
	cmd := Command()
	cmd.SetOut(&bytes.Buffer{})
	cmd.SetErr(&bytes.Buffer{})
	cmd.SetArgs([]string{"--scenario", "s9"})
	require.ErrorContains(t, cmd.Execute(), "use s1, s2, s3, s4, s5, s6, e1, e2, p1 or p2")
}

// TestBareAppendsAreNobodysRuns reads what a measurement left in a server's log.
func TestBareAppendsAreNobodysRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: quiet})
	require.NoError(t, err)
	address, stop, err := serve(log)
	require.NoError(t, err)
	connection := "esdb://" + address + "?tls=false"
	run := func(args ...string) error {
		cmd := Command()
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetArgs(append(args, "--scenario", "s1", "--log", connection, "--runs", "40", "--callers", "4", "--json"))
		return cmd.ExecuteContext(t.Context())
	}
	require.NoError(t, run())
	runs := map[string]bool{}
	var bare []string
	for r, err := range log.ReadAll(t.Context(), 0, domain.Filter{}) {
		require.NoError(t, err)
		if id, ok := domain.RunOfStream(r.Stream); ok && !runs[r.Stream] {
			runs[r.Stream] = true
			_, err := saga.FoldAt(t.Context(), log, id, saga.Latest)
			require.NoError(t, err)
		}
		if strings.HasPrefix(r.Stream, "atone-bench-") && r.Revision == 0 {
			bare = append(bare, r.Stream)
		}
	}
	require.Len(t, runs, 40+5+1, "the runs themselves, and those that warmed up")
	require.Len(t, bare, 40+5)
	client, err := connect(address)
	require.NoError(t, err)
	for _, name := range bare {
		_, err := client.ReadStream(t.Context(), name, esdb.ReadStreamOptions{}, 1)
		e, _ := esdb.FromError(err)
		if err == nil {
			read, err := client.ReadStream(t.Context(), name, esdb.ReadStreamOptions{}, 1)
			require.NoError(t, err)
			_, err = read.Recv()
			e, _ = esdb.FromError(err)
			read.Close()
		}
		require.NotNil(t, e, name)
		require.Equal(t, esdb.ErrorCodeResourceNotFound, e.Code(), "%s is soft-deleted", name)
	}
	require.NoError(t, client.Close())

	require.ErrorIs(t, run(), errHoldsRuns)
	require.NoError(t, run("--yes"))
	require.NoError(t, stop())
	require.NoError(t, log.Close())
	for _, scenario := range []string{"s1", "p1", "e1"} {
		_, err = Run(t.Context(), Options{Scenario: scenario, Runs: 10, Callers: 2, Data: dir})
		require.ErrorIs(t, err, errHoldsRuns, "a server's data directory")
	}
}
