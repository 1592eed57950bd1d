package bench

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
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

func TestUnknownScenarioIsRefused(t *testing.T) {
	t.Parallel()
	cmd := Command()
	cmd.SetOut(&bytes.Buffer{})
	cmd.SetErr(&bytes.Buffer{})
	cmd.SetArgs([]string{"--scenario", "s9"})
	require.ErrorContains(t, cmd.Execute(), "use s1, s2, s3, s4 or s5")
}
