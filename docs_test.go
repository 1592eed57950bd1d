package atone_test

import (
	"go/ast"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGuaranteesNameTestsThatExist keeps docs/guarantees.md from promising what nothing holds.
func TestGuaranteesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/guarantees.md")
	require.NoError(t, err)
	known := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test() {
				known[f.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile("`((?:Test|Benchmark|Fuzz)[A-Za-z0-9_]*)`").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(named), 30)
	for _, n := range named {
		require.True(t, known[n[1]], "docs/guarantees.md names %s, which is no test", n[1])
	}
	for rule := 1; rule <= 17; rule++ {
		require.Contains(t, string(text), "\n| "+strconv.Itoa(rule)+" | **")
	}
}
