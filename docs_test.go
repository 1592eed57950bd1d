package atone_test

import (
	"go/ast"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
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

// TestTheArchitecturePageHasEveryPackage keeps the table of packages the tree as it is.
func TestTheArchitecturePageHasEveryPackage(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "./...").Output()
	require.NoError(t, err)
	var packages []string
	for line := range strings.Lines(string(out)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), module); ok && path != "" {
			packages = append(packages, path)
		}
	}
	var named []string
	for _, n := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section(t, "Packages"), -1) {
		named = append(named, n[1])
	}
	slices.Sort(packages)
	slices.Sort(named)
	require.Equal(t, packages, named, "the table Packages of docs/architecture.md")
}

// TestTheArchitecturePageNamesFilesThatExist keeps the table of questions from answering with files
// that have moved.
func TestTheArchitecturePageNamesFilesThatExist(t *testing.T) {
	t.Parallel()
	text := section(t, "Where is …?")
	require.Equal(t, 25, strings.Count(text, "? |"), "questions")
	for _, n := range regexp.MustCompile("`([^`]+\\.go)`").FindAllStringSubmatch(text, -1) {
		assert.FileExists(t, n[1])
	}
}

// section returns the text of docs/architecture.md under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(text), "\n## "+heading+"\n")
	require.True(t, found, "docs/architecture.md has no heading %q", heading)
	under, _, _ := strings.Cut(after, "\n## ")
	return under
}
