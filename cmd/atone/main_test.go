package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/cmd/demo"
)

// playMain makes this test binary be the program.
const playMain = "ATONE_TEST_PLAY_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(playMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// atone runs the program with an empty environment, as on a machine where nothing is set up.
func atone(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = []string{playMain + "=1", "HOME=", "TMPDIR=" + t.TempDir()}
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the code tells
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestDemoReportsAsJSON(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := atone(t, "demo", "--runs", "6", "--seed", "3", "--json")
	require.Zero(t, code, stderr)
	var report demo.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &report), stdout)
	require.True(t, report.OK)
	require.Equal(t, 6, report.Completed+report.Compensated)
	require.Len(t, report.Ends, 6)
	require.NotNil(t, report.Kill)
	require.Empty(t, stderr)
}

func TestUnknownCommandIsAUsageError(t *testing.T) {
	t.Parallel()
	_, stderr, code := atone(t, "demonstrate")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "next: ")
}

func TestHelpListsTheCommands(t *testing.T) {
	t.Parallel()
	stdout, _, code := atone(t)
	require.Zero(t, code)
	for _, name := range []string{"demo", "bench", "serve", "start", "invoke", "show", "completion"} {
		require.Contains(t, stdout, "  "+name)
	}
	require.Contains(t, stdout, "atone exit-codes")
	require.NotContains(t, stdout, demo.WorkerCommand, "it is nobody's business")
}
