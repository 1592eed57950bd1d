package domain_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files instead of comparing with them")

// TestWireFormatIsFrozen compares every event's wire name and JSON members with a golden file: what
// is in somebody's log keeps its meaning. A new event adds lines; a changed one needs a new
// version.
func TestWireFormatIsFrozen(t *testing.T) {
	t.Parallel()
	names := domain.WireNames()
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		e, err := domain.DecodeEvent(name, []byte(`{}`))
		require.NoError(t, err)
		b.WriteString(name + "\n")
		members(&b, reflect.TypeOf(e).Elem(), "  ", map[reflect.Type]bool{})
	}
	b.WriteString("metadata\n")
	members(&b, reflect.TypeFor[domain.Meta](), "  ", map[reflect.Type]bool{})
	golden := filepath.Join("testdata", "wire.txt")
	if *rewrite {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
		return
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "the wire format changed: give what changed a new version; for a new event or an added member that old readers may ignore, run go test ./domain -run Frozen -rewrite")
}

// members writes the JSON members of a struct with their Go types.
func members(b *strings.Builder, typ reflect.Type, indent string, above map[reflect.Type]bool) {
	above[typ] = true
	defer delete(above, typ)
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		b.WriteString(indent + name + " " + f.Type.String() + "\n")
		inner := f.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && strings.HasPrefix(inner.PkgPath(), "github.com/atonehq/atone") && !above[inner] {
			members(b, inner, indent+"  ", above)
		}
	}
}
