package atone_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheGuidesProgramRunsAsWritten takes the Go of docs/authoring.md out of the page, makes it one
// program, runs it, and compares what each section prints with the section's blocks of text.
func TestTheGuidesProgramRunsAsWritten(t *testing.T) {
	t.Parallel()
	sections := guide(t)
	dir := t.TempDir()
	stands, err := os.ReadFile("testdata/authoring/stands.go")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "stands.go"), stands, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "guide.go"), []byte(guideProgram(t, sections)), 0o600))

	cmd := exec.CommandContext(t.Context(), "go", "run", filepath.Join(dir, "guide.go"), filepath.Join(dir, "stands.go"))
	var says strings.Builder
	cmd.Stderr = &says
	out, err := cmd.Output()
	require.NoError(t, err, "%s\n%s", says.String(), out)
	printed := strings.Split(string(out), guideMark)
	require.Empty(t, printed[0])
	require.Len(t, printed[1:], len(sections))
	for i, s := range sections {
		require.Equal(t, s.prints, printed[i+1], "what the section %q of docs/authoring.md prints", s.heading)
	}
}

const guideMark = "\x00"

// guideSection is the code under one heading.
type guideSection struct {
	heading                     string
	declarations, steps, prints string
}

// guide reads the sections of the page that have code. A block of Go is either declarations or steps.
func guide(t *testing.T) (sections []guideSection) {
	t.Helper()
	page, err := os.ReadFile("docs/authoring.md")
	require.NoError(t, err)
	part := regexp.MustCompile("(?ms)^##+ ([^\n]+)$|^```(\\w*)\n(.*?)^```$")
	heading := ""
	for _, m := range part.FindAllStringSubmatch(string(page), -1) {
		if m[1] != "" {
			heading = m[1]
			continue
		}
		if n := len(sections); n == 0 || sections[n-1].heading != heading {
			sections = append(sections, guideSection{heading: heading})
		}
		s := &sections[len(sections)-1]
		switch {
		case m[2] == "text":
			s.prints += m[3]
		case m[2] == "go" && regexp.MustCompile(`^(//[^\n]*\n)*(type|var|func|const)\b`).MatchString(m[3]):
			s.declarations += m[3] + "\n"
		case m[2] == "go":
			s.steps += m[3]
		}
	}
	require.Greater(t, len(sections), 15)
	return sections
}

// guideImports are the packages that the guide's code may use, by their names in it.
var guideImports = map[string]string{
	"bytes": "bytes", "context": "context", "sql": "database/sql", "json": "encoding/json", "errors": "errors", "fmt": "fmt",
	"io": "io", "slog": "log/slog", "http": "net/http", "smtp": "net/smtp", "url": "net/url", "os": "os", "time": "time",
	"memlog": module + "adapters/memlog", "program": module + "cmd/program", "domain": module + "domain",
	"saga": module + "saga", "queue": module + "saga/queue", "verdict": module + "saga/verdict",
}

// guideProgram writes the sections as one main package.
func guideProgram(t *testing.T, sections []guideSection) string {
	t.Helper()
	var code, calls strings.Builder
	for i, s := range sections {
		code.WriteString(s.declarations)
		fmt.Fprintf(&code, "func section%d(ctx context.Context) error {\n%s\nreturn nil\n}\n\n", i, s.steps)
		fmt.Fprintf(&calls, "fmt.Print(%q)\nif err := section%d(ctx); err != nil {\npanic(err)\n}\n", guideMark, i)
	}
	fmt.Fprintf(&code, "func main() {\nctx := context.Background()\n%s}\n", calls.String())
	var imports strings.Builder
	for _, name := range slices.Sorted(maps.Keys(guideImports)) {
		if regexp.MustCompile(`(^|[^\w."])` + name + `\.[A-Z]`).MatchString(code.String()) {
			fmt.Fprintf(&imports, "%q\n", guideImports[name])
		}
	}
	return "package main\n\nimport (\n" + imports.String() + ")\n\n" + code.String()
}
