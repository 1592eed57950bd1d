package httpapi_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/internal/document"
)

// documentOf returns the document of a server that asks for tokens: it has every operation.
func documentOf(t *testing.T) []byte {
	t.Helper()
	return newWorld(t, worldConfig{secured: true}).do("GET", "/openapi.json", nil).is(200).body
}

// TestTheDocumentExplainsItself: every property and operation has a description, every operation
// says what token it needs, and every operation with a body has an example of it.
func TestTheDocumentExplainsItself(t *testing.T) {
	t.Parallel()
	type schema struct {
		Description string
		Properties  map[string]json.RawMessage
		Items       json.RawMessage
	}
	var doc struct {
		Servers    []struct{ URL string }
		Tags       []struct{ Name string }
		Components struct{ Schemas map[string]json.RawMessage }
		Paths      map[string]map[string]struct {
			OperationID, Summary, Description string
			Tags                              []string
			Security                          []map[string][]string
			Parameters                        []struct{ Name, Description string }
			RequestBody                       struct {
				Content map[string]struct{ Example json.RawMessage }
			}
		}
	}
	require.NoError(t, json.Unmarshal(documentOf(t), &doc))
	require.NotEmpty(t, doc.Servers)
	var walk func(name string, raw json.RawMessage)
	walk = func(name string, raw json.RawMessage) {
		var s schema
		if json.Unmarshal(raw, &s) != nil {
			return // true or false
		}
		for property, p := range s.Properties {
			var of schema
			require.NoError(t, json.Unmarshal(p, &of))
			require.NotEmpty(t, of.Description, "%s.%s has no description: give the field a tag doc, or write it in internal/document/words.go", name, property)
			walk(name+"."+property, p)
		}
		if s.Items != nil {
			walk(name+"[]", s.Items)
		}
	}
	for name, s := range doc.Components.Schemas {
		if strings.HasPrefix(name, "saga.") || strings.HasPrefix(name, "action.") {
			continue // what an author's types say
		}
		walk(name, s)
	}
	ids := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			at := method + " " + path
			ids[op.OperationID] = true
			require.NotEmpty(t, op.Description, at)
			require.NotEmpty(t, op.Security, "%s: say who may, if only with {}", at)
			require.Len(t, op.Tags, 1, at)
			require.Contains(t, doc.Tags, struct{ Name string }{op.Tags[0]}, "%s: its tag is not in internal/document/complete.go", at)
			for _, p := range op.Parameters {
				require.NotEmpty(t, p.Description, "%s: %s", at, p.Name)
			}
			for ct, body := range op.RequestBody.Content {
				require.NotEmpty(t, body.Example, "%s: give %s an example in internal/document/examples.go", at, ct)
			}
		}
	}
	for _, id := range document.Illustrated() {
		require.True(t, ids[id], "the example of %s has no operation", id)
	}
}

// TestTheToolsOfOthersTakeTheDocument has Spectral and Redocly check it, and TypeScript compile the
// types that openapi-typescript makes from it. nodetest/run.sh installs them.
func TestTheToolsOfOthersTakeTheDocument(t *testing.T) {
	t.Parallel()
	bin, err := filepath.Abs("nodetest/node_modules/.bin")
	require.NoError(t, err)
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "Node"
	} else if _, err := os.Stat(filepath.Join(bin, "spectral")); err != nil {
		missing = "nodetest/node_modules"
	}
	if missing != "" {
		if os.Getenv("ATONE_NODE") == "must" {
			t.Fatalf("%s is missing: run adapters/httpapi/nodetest/run.sh", missing)
		}
		t.Skipf("SKIPPED: %s is missing, so nobody checks the OpenAPI document: run adapters/httpapi/nodetest/run.sh", missing)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "openapi.json")
	require.NoError(t, os.WriteFile(file, documentOf(t), 0o600))
	use, err := os.ReadFile("nodetest/use.ts")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "use.ts"), use, 0o600))
	tool := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, name), args...)
		cmd.Dir = "nodetest"
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
		return string(out)
	}
	tool("spectral", "lint", file, "--ruleset", ".spectral.yaml", "--fail-severity", "hint")
	redocly := tool("redocly", "lint", file, "--config", "redocly.yaml", "--format", "stylish")
	require.Contains(t, redocly, "Your API description is valid", "a warning is no error, and is not clean")
	require.NotContains(t, redocly, "warnings", redocly)
	tool("openapi-typescript", file, "--output", filepath.Join(dir, "api.ts"))
	tool("tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler", filepath.Join(dir, "use.ts"), filepath.Join(dir, "api.ts"))
}
