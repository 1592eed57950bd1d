package saga

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A wrong type does not compile: the compiler finds an error on each line of testdata/typed that is
// marked as wrong, and on no other.
func TestWrongTypesDoNotCompile(t *testing.T) {
	t.Parallel()
	file := filepath.Join("testdata", "typed", "wrong.go")
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	var want []int
	for i, line := range strings.Split(string(src), "\n") {
		if strings.Contains(line, "// wrong") {
			want = append(want, i+1)
		}
	}
	out, err := exec.Command("go", "build", "-gcflags=-e", "-o", os.DevNull, "./"+filepath.Dir(file)).CombinedOutput()
	require.Error(t, err)
	var got []int
	for _, m := range regexp.MustCompile(`(?m)wrong\.go:(\d+):\d+: `).FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		got = append(got, n)
	}
	require.Equal(t, want, got, "%s", out)
}
