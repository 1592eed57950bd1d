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
	const rules = 22
	for rule := 1; rule <= rules; rule++ {
		_, row, found := strings.Cut(string(text), "\n| "+strconv.Itoa(rule)+" | **")
		require.True(t, found, "docs/guarantees.md has no row for rule %d", rule)
		row, _, _ = strings.Cut(row, "\n")
		require.Regexp(t, "`(Test|Benchmark|Fuzz)", row, "docs/guarantees.md names no test of rule %d", rule)
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

// TestTheArchitecturePageNamesFilesThatExist keeps the page from sending readers to files that
// have moved.
func TestTheArchitecturePageNamesFilesThatExist(t *testing.T) {
	t.Parallel()
	require.Equal(t, 32, strings.Count(section(t, "Where is …?"), "? |"), "questions")
	way := section(t, "A run's way from Start to the list")
	require.GreaterOrEqual(t, strings.Count(way, ".go`"), 25, "files on a run's way")
	page, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	for _, n := range regexp.MustCompile("`([^`]+\\.go)`").FindAllStringSubmatch(string(page), -1) {
		if n[1] != "doc.go" { // which every package has
			assert.FileExists(t, n[1])
		}
	}
	for _, n := range regexp.MustCompile("`([a-z0-9]+/[a-z0-9_/]+)`").FindAllStringSubmatch(way, -1) {
		assert.DirExists(t, n[1])
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

// TestTheTestingPageShowsTestsThatRun holds the Go of docs/testing.md to tests that run.
func TestTheTestingPageShowsTestsThatRun(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/testing.md")
	require.NoError(t, err)
	var runs strings.Builder
	for _, name := range []string{"saga/sagatest/first_test.go", "saga/sagatest/guide_test.go", "cmd/signup/signup/town.go", "cmd/signup/signup/explore_test.go", "cmd/signup/main.go"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		runs.Write(text)
	}
	shown := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(shown), 7)
	for _, block := range shown {
		require.Contains(t, runs.String(), block[1])
	}
}
