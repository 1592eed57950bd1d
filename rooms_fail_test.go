package atone_test

import (
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestARoomThatBreaksARuleIsFound shows that each rule can fail, and names the place and the remedy.
func TestARoomThatBreaksARuleIsFound(t *testing.T) {
	t.Parallel()
	type texts map[string]string
	good := texts{
		"doc.go": `// Package inn lets rooms.
//
// It owns the keys. It knows nothing of
// the kitchen.
//
// Files, in reading order:
//
//   - front.go: the desk
//   - back.go: the keys,
//     and who has them
package inn
`,
		"front.go": `package inn

// Inn is open.
type Inn struct{ keys }

// FullError says that no room is left.
type FullError struct{}

func (*FullError) Error() string { return "full" }

// ErrClosed is returned at night.
var ErrClosed error = &FullError{}

func (i *Inn) Enter() { i.take() }
`,
		"back.go": `package inn

type keys struct{ inn *Inn }

func (k *keys) take() {}

type guest interface{ knock() }

func greet(g guest) { g.knock() }
`,
		"front_test.go": "package inn\n",
	}
	lines := func(n int) string { return "package inn\n" + strings.Repeat("\n", n-1) }
	long := good["front.go"] + strings.Repeat("\n", 401-strings.Count(good["front.go"], "\n"))
	many := texts{}
	for i := range maxFiles + 1 {
		many["f"+strconv.Itoa(i)+".go"] = lines(1)
	}
	for name, c := range map[string]struct {
		with texts  // replaces files of the good room; an empty text removes one
		rule string // "" for none
		says string
	}{
		"a good room":         {nil, "", ""},
		"no doc.go":           {texts{"doc.go": ""}, "doc", "inn/doc.go:1: write a doc.go"},
		"a comment too short": {texts{"doc.go": strings.Replace(good["doc.go"], "It owns", "These are", 1)}, "doc", `"It owns …"`},
		"no list":             {texts{"doc.go": "// Package inn: It owns it. It knows nothing of that.\npackage inn\n"}, "doc", `after the line "Files, in reading order:"`},
		"a file not listed":   {texts{"cellar.go": lines(1)}, "doc", "cellar.go is not listed"},
		"another platform's":  {texts{"cellar_plan9.go": lines(1)}, "doc", "cellar_plan9.go is not listed"},
		"a file gone":         {texts{"back.go": "", "front.go": lines(1)}, "doc", "back.go is listed, but there is no such file"},
		"listed twice":        {texts{"doc.go": strings.Replace(good["doc.go"], "//   - back.go", "//   - front.go: it\n//   - back.go", 1)}, "doc", "front.go is listed twice"},
		"listed, not told":    {texts{"doc.go": strings.Replace(good["doc.go"], "front.go: the desk", "front.go", 1)}, "doc", `the entry "front.go" does not read`},
		"many files":          {many, "files", "23 files besides doc.go, at most 20"},
		"many lines":          {texts{"cellar.go": lines(3_500)}, "lines", "lines without tests, at most 3500"},
		"a long file":         {texts{"front.go": long}, "long", "inn/front.go:1: 401 lines, at most 400"},
		"a long file's reason": {texts{
			"front.go": long,
			"doc.go":   strings.Replace(good["doc.go"], "the desk", "the desk; long\n//     because guests ask much", 1),
		}, "", ""},
		"a call upward":         {texts{"back.go": good["back.go"] + "\nfunc (k *keys) back() {\n\tk.inn.Enter()\n}\n"}, "calls", "inn/back.go:12: Enter is in front.go, which is listed before back.go"},
		"a function handed on":  {texts{"back.go": good["back.go"] + "\nfunc (k *keys) back() func() {\n\treturn k.inn.Enter\n}\n"}, "calls", "inn/back.go:12: Enter"},
		"a reason on the line":  {texts{"back.go": good["back.go"] + "\nfunc (k *keys) back() {\n\tk.inn.Enter() // up: it is one walk\n}\n"}, "", ""},
		"a reason above":        {texts{"back.go": good["back.go"] + "\nfunc (k *keys) back() {\n\t// up: it is one walk,\n\t// and so on\n\tk.inn.Enter()\n}\n"}, "", ""},
		"a reason for nothing":  {texts{"front.go": good["front.go"] + "\n// up: once it was\n"}, "calls", "inn/front.go:16: nothing goes up here"},
		"an interface above":    {texts{"front.go": good["front.go"] + "\ntype door interface{ open() }\n", "back.go": good["back.go"] + "\nfunc walk(d door) { d.open() }\n"}, "", ""},
		"a wide comment":        {texts{"front_test.go": "package inn\n\n// " + strings.Repeat("é", 98) + "\n"}, "columns", "inn/front_test.go:3: 101 columns"},
		"a wide line":           {texts{"back.go": good["back.go"] + "\nfunc wide() {\n\t_ = 0 // " + strings.Repeat("x", 90) + "\n}\n"}, "columns", "inn/back.go:12: 103 columns"},
		"wide code":             {texts{"back.go": good["back.go"] + "\nvar wide = \"" + strings.Repeat("x", 100) + "\"\n"}, "", ""},
		"an address":            {texts{"back.go": good["back.go"] + "\n// https://example.org/" + strings.Repeat("x", 100) + "\n"}, "", ""},
		"an error type's name":  {texts{"front.go": strings.ReplaceAll(good["front.go"], "FullError", "Full")}, "names", "inn/front.go:7: Full is an error type: its name ends in Error"},
		"a sentinel's name":     {texts{"front.go": strings.ReplaceAll(good["front.go"], "ErrClosed", "Closed")}, "names", "inn/front.go:12: Closed is an error: its name starts with Err"},
		"an internal parameter": {texts{"back.go": apiFile("func (i *Inn) Lay(p cellar.Wine) {}")}, "api", "inn/front.go:4: Inn exposes cellar.Wine of an internal room"},
		"an internal field":     {texts{"back.go": apiFile("type Cart struct{ Wines []*cellar.Wine }")}, "api", "Cart exposes cellar.Wine"},
		"an alias":              {texts{"back.go": apiFile("// Wine is red.\ntype Wine = cellar.Wine\n\nfunc Pour() (w Wine) { return }")}, "", ""},
		"an alias not told":     {texts{"back.go": apiFile("type Wine = cellar.Wine")}, "api", "inn/back.go:9: Wine stands for a type of an internal room"},
		"behind an alias":       {texts{"back.go": apiFile("// Rack is full.\ntype Rack = cellar.Rack")}, "api", "Rack exposes cellar.Wine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string][]byte{}
			for name, text := range good {
				files[name] = []byte(text)
			}
			for name, text := range c.with {
				files[name] = []byte(text)
				if text == "" {
					delete(files, name)
				}
			}
			var built []string
			for name := range files {
				if !strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(name, "_plan9.go") {
					built = append(built, name)
				}
			}
			r, err := newRoom("inn", files, built, cellar{})
			require.NoError(t, err)
			var found []string
			for _, rule := range slices.Sorted(maps.Keys(roomRules)) {
				for _, bad := range roomRules[rule](r) {
					found = append(found, bad+" ["+rule+"]")
				}
			}
			if c.rule == "" {
				require.Empty(t, found)
				return
			}
			require.True(t, slices.ContainsFunc(found, func(f string) bool {
				return strings.Contains(f, c.says) && strings.HasSuffix(f, " ["+c.rule+"]")
			}), "found: %q", found)
		})
	}
}

// apiFile is a file of the good room that uses an internal room.
func apiFile(code string) string {
	return `package inn

import "` + module + `inn/internal/cellar"

type keys struct{ wine cellar.Wine }

func (k *keys) take() {}

` + code + "\n"
}

// cellar imports the one internal room that apiFile uses: a Wine, and a Rack that hands one out.
type cellar struct{}

func (cellar) Import(path string) (*types.Package, error) {
	pkg := types.NewPackage(path, "cellar")
	declare := func(name string) *types.Named {
		object := types.NewTypeName(token.NoPos, pkg, name, nil)
		pkg.Scope().Insert(object)
		return types.NewNamed(object, types.NewStruct(nil, nil), nil)
	}
	wine, rack := declare("Wine"), declare("Rack")
	out := types.NewTuple(types.NewVar(token.NoPos, pkg, "", wine))
	recv := types.NewVar(token.NoPos, pkg, "", rack)
	rack.AddMethod(types.NewFunc(token.NoPos, pkg, "Take", types.NewSignatureType(recv, nil, nil, nil, out, false)))
	pkg.MarkComplete()
	return pkg, nil
}
