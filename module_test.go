package atone_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAModuleOfOnesOwnStaysTidy does in a fresh module what the README says: a program imports the
// embedded log, later the command line as well; `go mod tidy` and a build work after each.
func TestAModuleOfOnesOwnStaysTidy(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(".")
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	goRun := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		out, err := cmd.CombinedOutput()
		if err != nil && (strings.Contains(string(out), "dial tcp") || strings.Contains(string(out), "module lookup disabled")) {
			t.Skipf("no module proxy can be reached, which `go mod tidy` needs: %s", out)
		}
		require.NoError(t, err, "go %v: %s", args, out)
	}
	write("go.mod", "module example.org/shop\n\ngo 1.26\n\nrequire github.com/atonehq/atone v0.0.0\n\nreplace github.com/atonehq/atone => "+root+"\n")

	write("main.go", `package main

import "github.com/atonehq/atone/adapters/pebblelog"

func main() {
	log, err := pebblelog.Open("data", pebblelog.Config{})
	if err != nil {
		panic(err)
	}
	_ = log.Close()
}
`)
	goRun("mod", "tidy")
	goRun("vet", ".")

	write("main.go", `package main

import (
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/program"
)

var _ = pebblelog.Open

func main() { program.Main(program.App{}) }
`)
	goRun("mod", "tidy")
	goRun("vet", ".")
}
