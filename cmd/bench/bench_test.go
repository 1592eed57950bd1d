package bench

import (
	"encoding/json"
	"flag"
	"os"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/require"
)

var scenarioFlag = flag.String("scenario", "", "scenario to measure")
var callersFlag = flag.Int("callers", 0, "callers")
var runsFlag = flag.Int("runs", 0, "runs")
var cpuOut = flag.String("cpuout", "", "cpu profile")

func TestMain(m *testing.M) {
	MaybeChild()
	os.Exit(m.Run())
}

func TestManual(t *testing.T) {
	if *scenarioFlag == "" {
		t.Skip("no scenario")
	}
	if *cpuOut != "" {
		f, err := os.Create(*cpuOut)
		require.NoError(t, err)
		require.NoError(t, pprof.StartCPUProfile(f))
		defer pprof.StopCPUProfile()
	}
	r, err := Run(t.Context(), Options{Scenario: *scenarioFlag, Callers: *callersFlag, Runs: *runsFlag, Data: t.TempDir()})
	require.NoError(t, err)
	b, _ := json.MarshalIndent(r, "", " ")
	t.Log(string(b))
}
