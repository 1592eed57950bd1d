package show

import (
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/adapters/webui/internal/search"
	"github.com/atonehq/atone/domain"
)

// functions are what templates may call.
var functions = template.FuncMap{
	"took":   format.Took,
	"clock":  format.Clock,
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
	"short":  func(id domain.RunID) string { return id.String()[len("00000000-0000-0000-0000-"):] },
	"json":   format.Payload,
	"brief":  format.Brief,
	"size":   format.Size,
	"tone":   format.Tone,
	"tint":   format.Tint,
	"isZero": func(t time.Time) bool { return t.IsZero() },
	"dur":    func(d domain.Duration) string { return format.Round(time.Duration(d)) },
	"lat":    format.Latency,
	"ends":   strings.HasSuffix,
	"policy": format.Policy,
	"plural": format.Plural,
	"pct":    func(f float64) string { return strconv.FormatFloat(f*100, 'f', 1, 64) + "%" },
	"whole":  format.Number,
	"join":   strings.Join,
	"has":    slices.Contains[[]string],
	"add":    func(a, b int) int { return a + b },
	"list":   func(v ...string) []string { return v },
	"cond":   search.Condition,
}
