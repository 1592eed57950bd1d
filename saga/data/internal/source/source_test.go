package source_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/data/internal/source"
)

func read(name, text string) (*source.Node, []string) {
	b := &source.Book{File: name}
	n := source.Read(b, []byte(text))
	var told []string
	for _, p := range b.Problems() {
		told = append(told, p.String())
	}
	return n, told
}

func TestValuesAreReadAsYAML12Says(t *testing.T) {
	t.Parallel()
	n, told := read("a.yaml", `
a: 1
b: -2.50
c: yes
d: "12"
e: |
  two
  lines
f: [~, true, 1e3, 2026-11-29, '', -0]
g: {h: {i: ${ x }}}
`[1:])
	require.Nil(t, n)
	require.NotEmpty(t, told, "a brace ends what stands in braces without quotes")
	n, told = read("a.yaml", "a: 1\nb: -2.50\nc: yes\nd: \"12\"\ne: |\n  two\n  lines\nf: [~, true, 1e3, 2026-11-29, '', -0]\ng:\n  h: ${ x }\n")
	require.Empty(t, told)
	require.JSONEq(t, `{"a":1,"b":-2.5,"c":"yes","d":"12","e":"two\nlines\n","f":[null,true,1000,"2026-11-29","",-0],"g":{"h":"${ x }"}}`, string(n.JSON()))
	require.Equal(t, source.Pos{Line: 10, Col: 9}, n.Get("g").Get("h").Place(3))
	require.Equal(t, source.Pos{Line: 7, Col: 1}, n.Get("e").Place(5))
	require.Equal(t, source.Pos{Line: 4, Col: 5}, n.Get("d").Place(0))
}

func TestJSONIsReadWithItsPlaces(t *testing.T) {
	t.Parallel()
	n, told := read("a.json", "{\n \"a\": [1, {\"ü\": \"\\ud83d\\ude00\"}],\n \"b\": null}")
	require.Empty(t, told)
	require.JSONEq(t, `{"a":[1,{"ü":"😀"}],"b":null}`, string(n.JSON()))
	require.Equal(t, source.Pos{Line: 2, Col: 11}, n.Get("a").Items[1].Pos)
	require.Equal(t, source.Pos{Line: 3, Col: 7}, n.Get("b").Pos)
}

func TestWhatMeansTwoThingsIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: &x 1\nb: *x\n":          "a.yaml:1:4: anchors (&x) are not supported: write the value out where it is needed\na.yaml:2:4: aliases (*x) are not supported: write the value out",
		"a: &x [*x]\n":              "a.yaml:1:4: anchors",
		"x: 1\n<<: {a: 1}\n":        "a.yaml:2:1: merge keys",
		"a: !!str 1\n":              "a.yaml:1:4: tags",
		"a: !x {b: 1}\n":            "a.yaml:1:4: tags",
		"a: 1\nb: 2\na: 3\n":        `a.yaml:3:1: "a" is given twice`,
		"a: 010\n":                  "can be read in several ways",
		"a: 12:30\n":                "can be read in several ways",
		"a: 0x1F\n":                 "can be read in several ways",
		"a: .inf\n":                 "can be read in several ways",
		"a: 99999999999999999999\n": "does not fit an integer of 64 bits",
		"a: 1e999\n":                "beyond what a number can be",
		"a: 1\n---\nb: 2\n":         "several documents",
		"? [a]\n: 1\n":              "a name must be a text",
		"a: [1\n":                   "the YAML can't be read",
		"a:\n\t- b\n":               "the YAML can't be read",
		"":                          "the file is empty",
		"\xff":                      "not UTF-8",
		"\ufeffa: 1":                "byte order mark",
		strings.Repeat("[", 65) + strings.Repeat("]", 65): "more than 64 levels deep",
	} {
		n, told := read("a.yaml", text)
		require.Nil(t, n, "%.40q", text)
		require.Contains(t, strings.Join(told, "\n"), want, "%.40q", text)
	}
	for text, want := range map[string]string{
		`{"a":1,"a":2}`:              `a.json:1:8: "a" is given twice`,
		`{"a":1} x`:                  "a.json:1:9: something follows",
		`{"a":`:                      "the JSON can't be read: it ends too early",
		`[1,]`:                       "the JSON can't be read",
		`{"a":99999999999999999999}`: "does not fit",
		strings.Repeat("[", 65) + strings.Repeat("]", 65): "more than 64 levels deep",
	} {
		n, told := read("a.json", text)
		require.Nil(t, n, "%.40q", text)
		require.Contains(t, strings.Join(told, "\n"), want, "%.40q", text)
	}
}

// TestHostileFilesAreRefused: each of these took a parser somewhere minutes, or all memory. Here
// each takes about a second.
func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c < 'z'; c++ {
		laughs.WriteString(string(c) + "0: &" + string(c) + "0 [" + strings.Repeat("*"+string(c-1)+"0, ", 9) + "x]\n")
	}
	for name, text := range map[string]string{
		"ten megabytes":   "a: " + strings.Repeat("x", 10<<20),
		"laughs":          laughs.String(),
		"brackets":        strings.Repeat("[", source.MaxSize),
		"braces":          strings.Repeat("{a: ", source.MaxSize/4),
		"dashes":          strings.Repeat("- ", source.MaxSize/2),
		"questions":       strings.Repeat("? ", source.MaxSize/2),
		"a cycle":         "a: &a\n  b: *a\n",
		"many problems":   strings.Repeat("- &a 1\n", source.MaxSize/8),
		"one name, often": strings.Repeat("a: 1\n", source.MaxSize/6),
		"open quotes":     "a: \"" + strings.Repeat("\n", source.MaxSize/2),
		"many documents":  strings.Repeat("--- 1\n", source.MaxSize/8),
		"deep.json":       strings.Repeat(`{"a":`, source.MaxSize/6),
		"brackets.json":   strings.Repeat("[", source.MaxSize),
		"one member.json": "{" + strings.Repeat(`"a":1,`, source.MaxSize/8) + `"b":1}`,
	} {
		n, told := read(name, text)
		require.Nil(t, n, name)
		require.NotEmpty(t, told, name)
		require.LessOrEqual(t, len(told), 100)
		for _, line := range told {
			require.Less(t, len(line), 1_200)
		}
	}
}

// FuzzRead finds files that make the reader panic, and trees whose JSON is none.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a: 1\nb: [x, {y: ${ z }}]\n", "a: &x *x", "- |\n  a\n  b\n", "\"\\ud800\"", "{\"a\": [1, 2.5e3]}", "<<: x", "? a\n: b"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, isJSON bool) {
		name := "a.yaml"
		if isJSON {
			name = "a.json"
		}
		n, told := read(name, string(text))
		if (n == nil) == (len(told) == 0) {
			t.Fatalf("%q: %v, %q", text, n, told)
		}
		if n == nil {
			return
		}
		raw := string(n.JSON())
		again, told := read("again.json", raw)
		if len(told) > 0 || string(again.JSON()) != raw {
			t.Fatalf("%q: %s came back as %v %q", text, raw, again, told)
		}
	})
}
