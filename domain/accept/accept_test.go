package accept_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain/accept"
)

func TestPayloadsThatWouldComeBackOtherwiseAreRefused(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, says := range map[string]string{
		`{"a":1,"a":2}`:              "duplicate",
		`[{"b":{"a":1,"\u0061":2}}]`: "duplicate",
		"\ufeff{}":                   "byte order mark",
		"\"\xff\"":                   "UTF-8",
		"{\"\xc3\":1}":               "UTF-8",
		`"\ud800"`:                   "surrogate",
		`{} {}`:                      "follows",
		`{"a":NaN}`:                  "invalid",
		`01`:                         "",
		" ":                          "",
		deep(accept.MaxDepth + 1):    "levels deep",
		deep(20_000):                 "levels deep",
		`"` + strings.Repeat("x", accept.MaxPayload) + `"`: "bytes of JSON",
	} {
		err := accept.Payload("the input", []byte(text))
		require.ErrorContains(t, err, "the input is", "%.40q", text)
		require.ErrorContains(t, err, says, "%.40q", text)
		require.Less(t, len(err.Error()), 300)
	}
	for _, text := range []string{"", "null", "{}", `{"a":1,"A":2}`, `12345678901234567890.5e400`, `"\u0000\ud83d\ude00"`, deep(accept.MaxDepth),
		`"` + strings.Repeat("[{", 5_000) + `\""`, `{"日本":["\\",{"x":[]}]}`} {
		require.NoError(t, accept.Payload("the input", []byte(text)), "%.40q", text)
		if text != "" {
			require.NoError(t, accept.Document([]byte(text)))
		}
	}
	require.NoError(t, accept.Readable("the output", []byte(`{"a":1,"a":2}`)))
	require.ErrorContains(t, accept.Readable("the output", []byte("\"\xff\"")), "UTF-8")
	require.ErrorContains(t, accept.Document(nil), "not valid JSON")
}

func TestNamesThatNobodySeesAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a\x00b", "a\nb", "tab\t", "\x7f", "\u0085", "\u2028", "\u202eb", "\ufeffa", "a\u200bb", "a\u00adb", "a\u2060b", "a\u3164b", "a\U000e0041", "\ufffd", "\xff", strings.Repeat("x", 251)} {
		require.Error(t, accept.Name("the name", bad, accept.MaxName), "%q", bad)
		if len(bad) <= accept.MaxName {
			require.Error(t, accept.Labels(map[string]string{"n" + bad: bad, bad: "x"}), "%q", bad)
		}
	}
	for _, good := range []string{"a", " ", "日本", "naïve", "👩\u200d🚀", "می\u200cخواهم", "❤\ufe0f", strings.Repeat("x", 250)} {
		require.NoError(t, accept.Name("the name", good, accept.MaxName), "%q", good)
		require.NoError(t, accept.Labels(map[string]string{good: good, "b": ""}))
	}
	require.Error(t, accept.Labels(map[string]string{"a=b": "c"}))
	require.NoError(t, accept.Text("the reason", "two\r\n\tlines"))
	require.Error(t, accept.Text("the reason", "\x1b[31m"))
	require.Error(t, accept.Text("the reason", "\xff"))
	require.Error(t, accept.Text("the reason", strings.Repeat("x", accept.MaxReason+1)))
}

func TestALabelGivenTwiceIsRefused(t *testing.T) {
	t.Parallel()
	labels := map[string]string{}
	require.NoError(t, accept.Label(labels, "tenant=a"))
	require.NoError(t, accept.Label(labels, "tenant=a"))
	require.ErrorContains(t, accept.Label(labels, "tenant=b"), "twice")
	require.ErrorContains(t, accept.Label(labels, "tenant"), "NAME=VALUE")
	require.Equal(t, map[string]string{"tenant": "a"}, labels)
}

func TestTimesThatNoViewComparesAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1677-12-31T23:59:59Z", "2262-01-01T00:00:00Z",
		"2261-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "now", ""} {
		_, err := accept.ParseTime("the deadline", bad)
		require.ErrorContains(t, err, "the deadline", bad)
	}
	at, err := accept.ParseTime("the deadline", "2261-12-31T23:59:59+14:00")
	require.NoError(t, err)
	require.Equal(t, at.UTC(), time.Unix(0, at.UnixNano()).UTC(), "it fits nanoseconds")
	require.NoError(t, accept.Time("t", time.Time{}))
	require.Error(t, accept.EventTime("t", time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -12*3600))))
	require.Error(t, accept.EventTime("t", time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)))
	require.NoError(t, accept.EventTime("t", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)))
}

func TestNumbersThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"NaNd", "Infd", "-Infd", "-1d", "1e300d", "-1h", "NaN", "d", "", "36501d", "1e", "99999999h", "9223372036854775807ns x"} {
		_, err := accept.ParseAge(bad)
		require.Error(t, err, bad)
	}
	for text, want := range map[string]time.Duration{"0": 0, "90m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "0.5d": 12 * time.Hour, "36500d": accept.MaxAge} {
		d, err := accept.ParseAge(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1} {
		require.Error(t, accept.Number("Rate", bad))
	}
	require.NoError(t, accept.Number("Rate", 0))
	require.NoError(t, accept.Number("Rate", math.MaxFloat64))
}

// FuzzPayload finds what is accepted but read otherwise by encoding/json.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",{"b":null}]}`, `{"a":1,"a":2}`, "\ufeff1", "\"\xff\"", `"\ud800"`, `[[[[]]]]`, `1e400`, `"\"[{"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if accept.Payload("it", raw) != nil || len(raw) == 0 {
			return
		}
		if !json.Valid(raw) || !utf8.Valid(raw) {
			t.Fatalf("%q was accepted", raw)
		}
		read := func(raw []byte) any {
			var v any
			d := json.NewDecoder(strings.NewReader(string(raw)))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatalf("%q: %v", raw, err)
			}
			return v
		}
		v := read(raw)
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if !reflect.DeepEqual(v, read(again)) {
			t.Fatalf("%q came back as %q", raw, again)
		}
	})
}

// FuzzAge finds durations that overflow.
func FuzzAge(f *testing.F) {
	for _, s := range []string{"NaNd", "7d", "1e300d", "90m", "-1h", "0x1p63d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := accept.ParseAge(text); err == nil && (d < 0 || d > accept.MaxAge) {
			t.Fatalf("%q is %v", text, d)
		}
		labels := map[string]string{}
		if accept.Label(labels, text) == nil && len(labels) != 1 {
			t.Fatalf("%q gave %v", text, labels)
		}
		if at, err := accept.ParseTime("t", text); err == nil && !at.UTC().Equal(time.Unix(0, at.UnixNano())) {
			t.Fatalf("%q is %v", text, at)
		}
		if accept.Name("n", text, accept.MaxName) == nil && (!utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n\r\x1b\u202e")) {
			t.Fatalf("name %q was accepted", text)
		}
	})
}
