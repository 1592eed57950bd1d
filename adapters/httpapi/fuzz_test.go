package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/adapters/httpapi"
)

// fuzzer makes requests from the API's document: mostly such as fit it, and some that do not.
type fuzzer struct {
	doc   *huma.OpenAPI
	ids   []string // runs that exist
	words []string // texts that mean something to the server
}

// request draws one.
func (f *fuzzer) request(t *rapid.T, all []sample) *http.Request {
	s := rapid.SampledFrom(all).Draw(t, "operation")
	path, query := f.path(t, s.op), url.Values{}
	header := http.Header{}
	for _, p := range s.op.Parameters {
		if p.In == "path" || rapid.IntRange(0, 3).Draw(t, "given") > 0 {
			continue
		}
		v := f.text(t, p.Schema)
		if p.Name == "follow" && v != "x" && v != "false" {
			continue // such an answer has no end
		}
		if p.In == "query" {
			query.Add(p.Name, v)
		} else if !strings.ContainsAny(v, "\r\n\x00") && (p.Name != "Accept" || v != "text/event-stream") {
			header.Set(p.Name, v)
		}
	}
	body := ""
	if s.op.RequestBody != nil {
		body = f.body(t, s.op)
		header.Set("Content-Type", rapid.SampledFrom([]string{"application/json", "application/json", "application/json", "text/plain", ""}).Draw(t, "content type"))
	}
	r := httptest.NewRequest(s.method, "http://localhost"+path+"?"+query.Encode(), strings.NewReader(body))
	for k, v := range header {
		r.Header[k] = v
	}
	return r
}

func (f *fuzzer) path(t *rapid.T, op *huma.Operation) string {
	path := op.Path
	for _, p := range op.Parameters {
		if p.In == "path" {
			v := url.PathEscape(f.text(t, p.Schema))
			if v == "" || v == "." || v == ".." {
				v = "x"
			}
			path = strings.Replace(path, "{"+p.Name+"}", v, 1)
		}
	}
	return path
}

// text draws a parameter.
func (f *fuzzer) text(t *rapid.T, s *huma.Schema) string {
	if rapid.IntRange(0, 9).Draw(t, "wild") == 0 {
		return rapid.StringN(0, 40, 120).Draw(t, "text")
	}
	v := f.value(t, s, 0)
	if list, ok := v.([]any); ok {
		if len(list) == 0 {
			return ""
		}
		v = list[0]
	}
	return fmt.Sprint(v)
}

func (f *fuzzer) body(t *rapid.T, op *huma.Operation) string {
	if rapid.IntRange(0, 19).Draw(t, "wild body") == 0 {
		return rapid.StringN(0, 40, 120).Draw(t, "body")
	}
	raw, err := json.Marshal(f.value(t, op.RequestBody.Content["application/json"].Schema, 0))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// value draws a value that fits the schema, or once in a while one that does not.
func (f *fuzzer) value(t *rapid.T, s *huma.Schema, depth int) any {
	if s.Ref != "" {
		s = f.doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	if depth > 5 || rapid.IntRange(0, 24).Draw(t, "unfit") == 0 {
		return rapid.SampledFrom([]any{nil, true, -1, 1e300, "", "x", []any{}, map[string]any{}}).Draw(t, "anything")
	}
	if len(s.Enum) > 0 {
		return rapid.SampledFrom(s.Enum).Draw(t, "enum")
	}
	switch s.Type {
	case huma.TypeBoolean:
		return rapid.Bool().Draw(t, "bool")
	case huma.TypeInteger, huma.TypeNumber:
		return rapid.SampledFrom([]any{0, 1, 2, 5, 1000, int64(1) << 62, -1}).Draw(t, "number")
	case huma.TypeArray:
		var list []any
		for range rapid.IntRange(0, 2).Draw(t, "items") {
			list = append(list, f.value(t, s.Items, depth+1))
		}
		return list
	case huma.TypeObject:
		return f.object(t, s, depth)
	case huma.TypeString:
		return f.string(t, s)
	}
	return rapid.SampledFrom([]any{nil, 1, "x", map[string]any{"email": "a"}, map[string]any{"email": "a", "fail": "charge"}, []any{1, "2"}}).Draw(t, "payload")
}

func (f *fuzzer) object(t *rapid.T, s *huma.Schema, depth int) any {
	out := map[string]any{}
	names := make([]string, 0, len(s.Properties))
	for n := range s.Properties {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		if contains(s.Required, n) || rapid.Bool().Draw(t, n) {
			out[n] = f.value(t, s.Properties[n], depth+1)
		}
	}
	if extra, ok := s.AdditionalProperties.(*huma.Schema); ok {
		out[rapid.SampledFrom(f.words).Draw(t, "name")] = f.value(t, extra, depth+1)
	}
	return out
}

func contains(list []string, v string) bool {
	for _, l := range list {
		if l == v {
			return true
		}
	}
	return false
}

func (f *fuzzer) string(t *rapid.T, s *huma.Schema) any {
	switch s.Format {
	case "uuid":
		if rapid.Bool().Draw(t, "known run") {
			return rapid.SampledFrom(f.ids).Draw(t, "run")
		}
		return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")).String()
	case "date-time":
		return time.Unix(rapid.Int64Range(-1e9, 4e9).Draw(t, "time"), 0).UTC().Format(time.RFC3339)
	}
	if rapid.IntRange(0, 4).Draw(t, "odd") == 0 {
		return rapid.String().Draw(t, "string")
	}
	return rapid.SampledFrom(f.words).Draw(t, "word")
}

// Whatever is sent, every answer is one that the document has, fits it, and is not 500.
func TestNoRequestMakesAnAnswerOutsideOfTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{adjust: func(c *httpapi.Config) { c.MaxWait = 2 * time.Millisecond }})
	c := newContract(w.srv.OpenAPI())
	f := &fuzzer{doc: c.doc, words: []string{"", "a", "1s", "5ms", "-1h", "signup", "approval", "charge", "create-user", "approve", "runs", "stats", "a=b", "orders", "order.placed",
		"run-x", "$all", "atone.x", "skip", "read", "admin", "k", strings.Repeat("x", 600), "0", "9", "\x00", "日本"}}
	for _, fail := range []string{"", "charge", "undo"} {
		f.ids = append(f.ids, w.start("signup", form{Email: "a", Fail: fail}).Run.String())
	}
	f.ids = append(f.ids, w.start("asking", form{Email: "a", Fail: "charge"}).Run.String(), w.waiting("approval").String(), w.waiting("committed").String())
	var all []sample
	for _, s := range samples(c.doc) {
		// Thousands of rebuilds would tell nothing more.
		if s.op.OperationID != "rebuild-projection" {
			all = append(all, s)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].op.OperationID < all[j].op.OperationID })
	rapid.Check(t, func(rt *rapid.T) {
		for range 20 {
			r := f.request(rt, all)
			ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
			rec := httptest.NewRecorder()
			w.srv.ServeHTTP(rec, r.WithContext(ctx))
			cancel()
			if rec.Code == http.StatusTemporaryRedirect || rec.Code == http.StatusMovedPermanently {
				continue // the mux cleans a path
			}
			if err := c.check(r.Method, r.URL.EscapedPath(), rec.Code, rec.Header(), rec.Body.Bytes()); err != nil {
				rt.Fatalf("%s %s: %v", r.Method, r.URL, err)
			}
		}
	})
	require.Greater(t, len(c.seen), 60, "the requests must reach more than the form checks")
}
