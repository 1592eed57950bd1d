package show

import (
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/webui/internal/draw"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/search"
	"github.com/atonehq/atone/saga/explain"
)

// headline is what of a failure's text stands in a line. More means that there is more of it.
type headline struct {
	Line string
	More bool
}

// lead is the beginning of a sentence. Whole is empty where that is all of it.
type lead struct{ Text, Whole string }

// functions are what templates may call.
var functions = template.FuncMap{
	"took":   format.Took,
	"clock":  format.Clock,
	"spans":  format.Spans,
	"zoned":  format.Zoned,
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
	"short":  func(id domain.RunID) string { return id.String()[len("00000000-0000-0000-0000-"):] },
	"json":   format.Payload,
	"brief":  format.Brief,
	"size":   format.Size,
	"tone":   format.Tone,
	"mark":   draw.Mark,
	"spark":  draw.Spark,
	"clip":   format.Clip,
	"state":  format.State,
	"shown":  func(why explain.Reason) domain.RunState { return format.Shown(&why) },
	"stands": format.Stands,
	"tint":   format.Tint,
	"isZero": func(t time.Time) bool { return t.IsZero() },
	"dur":    func(d domain.Duration) string { return format.Round(time.Duration(d)) },
	"lat":    format.Latency,
	"ends":   strings.HasSuffix,
	"policy": format.Policy,
	"plural": format.Plural,
	"pct":    func(f float64) string { return strconv.FormatFloat(f*100, 'f', 1, 64) + "%" },
	"whole":  format.Number,
	"count":  func(n int) string { return format.Number(int64(n)) },
	"join":   strings.Join,
	"has":    slices.Contains[[]string],
	"add":    func(a, b int) int { return a + b },
	"list":   func(v ...string) []string { return v },
	"cut":    format.Cut,
	"headline": func(text string) headline {
		line, more := format.Headline(text)
		return headline{line, more}
	},
	"atLeast0": func(n int64) int64 { return max(0, n) },
	"lead": func(sentence string, n int) lead {
		text, plain := format.Lead(sentence, n)
		return lead{text, plain}
	},
	"cond":   search.Condition,
	"onceID": uuid.NewString,
}
