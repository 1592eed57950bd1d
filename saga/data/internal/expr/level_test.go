package expr_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
)

var rewrite = flag.Bool("rewrite", false, "write the golden results anew")

// evaluate computes an expression over an open input.
func evaluate(t testing.TB, text string, input string) string {
	env, err := expr.NewEnv()
	require.NoError(t, err)
	scope := env.NewScope().WithVar("input", expr.Open.Called("input"))
	book := &source.Book{File: "a.yaml"}
	value := scope.Compile(book, "", &source.Node{Kind: source.Text, Pos: source.Pos{Line: 1, Col: 1}, Text: "${" + text + "}"}, expr.Open)
	if value == nil {
		return "refused: " + book.Problems()[0].Text
	}
	raw, err := value.JSON(&expr.Values{Read: func(string) (json.RawMessage, bool) { return json.RawMessage(input), true }})
	if err != nil {
		return "failed: " + err.Error()
	}
	return string(raw)
}

// TestTheLevelComputesWhatItAlwaysDid: a result that was recorded is computed the same way by every
// program that reads the level, whichever version of CEL it is built with. If this fails after an
// update, the update is another level.
func TestTheLevelComputesWhatItAlwaysDid(t *testing.T) {
	t.Parallel()
	const file = "testdata/atone-1.json"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var golden []struct{ Expression, Input, Result string }
	require.NoError(t, json.Unmarshal(text, &golden))
	require.Greater(t, len(golden), 60)
	for i, g := range golden {
		got := evaluate(t, g.Expression, g.Input)
		if *rewrite {
			golden[i].Result = got
			continue
		}
		require.Equal(t, g.Result, got, g.Expression)
	}
	if *rewrite {
		var text bytes.Buffer
		out := json.NewEncoder(&text)
		out.SetEscapeHTML(false)
		out.SetIndent("", " ")
		require.NoError(t, out.Encode(golden))
		require.NoError(t, os.WriteFile(file, text.Bytes(), 0o644))
	}
}

// TestSchemasThatRecurseEnd: a schema that refers to itself many times over gives a type of bounded
// size.
func TestSchemasThatRecurseEnd(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{
		`{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"},"b":{"$ref":"#/$defs/a"},"c":{"$ref":"#/$defs/a"}}}}}`,
		`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}`,
		`{"$ref":"#"}`, `[]`, `{"type":["array","null"],"items":{"$ref":"#/$defs/x"}}`,
	} {
		typ := expr.TypeOf(json.RawMessage(schema), "it")
		require.NotNil(t, typ)
		require.NotEmpty(t, typ.Schema())
	}
	require.ErrorContains(t, expr.CheckSchema(json.RawMessage(`{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/a"}}}}`)), "comes back to itself")
}

// FuzzExpression finds expressions that make the compiler or an evaluation panic, or not end.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"input.a + 1", "[1,2].map(x, x * 2).sum()", "has(input.a) ? input.a : 'b'", "input.?a.orValue({})", "'a'.replace('a', 'bb').split('b')", "{'a': [input]}"} {
		f.Add(s, `{"a":[1,{"b":"c"}]}`)
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		if !json.Valid([]byte(input)) {
			return
		}
		result := evaluate(t, text, input)
		if len(result) == 0 {
			t.Fatalf("%q gives nothing", text)
		}
	})
}
