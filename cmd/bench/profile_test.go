package bench

import (
	"flag"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	profileScenario = flag.String("profile-scenario", "s1", "scenario of BenchmarkScenario")
	profileCallers  = flag.Int("profile-callers", 0, "its callers")
	profileAllocs   = flag.String("profile-allocs", "", "file for its allocation profile")
)

// BenchmarkScenario runs a scenario without its ceiling, for profiles:
//
//	go test -run '^$' -bench Scenario -benchtime 20000x -cpuprofile cpu.out ./cmd/bench
func BenchmarkScenario(b *testing.B) {
	sc := scenarios[*profileScenario]
	if *profileCallers > 0 {
		sc.callers = *profileCallers
	}
	if *profileAllocs != "" {
		runtime.MemProfileRate = 4096
	}
	sc.runs = b.N
	var res Result
	_, err := measureRuns(b.Context(), b.TempDir(), sc, &res)
	require.NoError(b, err)
	b.ReportMetric(res.RunsPerSecond, "runs/s")
	b.ReportMetric(res.CPU, "cpu-s/1000runs")
	if *profileAllocs != "" {
		f, err := os.Create(*profileAllocs)
		require.NoError(b, err)
		require.NoError(b, pprof.Lookup("allocs").WriteTo(f, 0))
		require.NoError(b, f.Close())
	}
}
