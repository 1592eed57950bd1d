package format

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var tags = regexp.MustCompile(`</?i[^>]*>`)

func TestPrettyShowsThePayloadAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{`{"a":1,"b":[true,null,-1.5e9],"c":"<b>\"x\"</b>","d":{}}`, `"<script>"`, `[]`, `12`, `null`, `{"<i class=\"js\">":"</i>"}`, `not json <b>`, ``, `{"a":"\\"}`} {
		shown := string(Payload(json.RawMessage(payload)))
		require.NotRegexp(t, `<(?:b|script)`, shown)
		text := html.UnescapeString(tags.ReplaceAllString(shown, ""))
		if json.Valid([]byte(payload)) {
			require.JSONEq(t, payload, text)
		} else {
			require.Equal(t, payload, text)
		}
	}
	long := Payload(json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`))
	require.Less(t, len(long), 70<<10)
	require.Contains(t, string(long), "more bytes")
	require.NotContains(t, string(Payload(json.RawMessage("\"a\u202eb\""))), "\u202e", "nothing turns the text round")
}

func TestBriefIsTheBeginningOfAPayload(t *testing.T) {
	t.Parallel()
	require.Equal(t, `{ "a": [1, 2] }`, Brief(json.RawMessage("{\n \"a\": [1, 2]\n}"))) //nolint:testifylint // the spaces count
	require.Equal(t, `"`+strings.Repeat("ü", maxBrief-1)+"…", Brief(json.RawMessage(`"`+strings.Repeat("ü", 500)+`"`)))
	require.Equal(t, "not json", Brief(json.RawMessage("not json")))
	require.NotContains(t, Brief(json.RawMessage("\"a\u202eb\"")), "\u202e")
	require.LessOrEqual(t, len(Brief(json.RawMessage(strings.Repeat("[", 1<<20)))), 4*maxBrief, "what is no JSON is cut too")
}

func TestDurationsAreShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{-1: "0s", 0: "0µs", 350 * time.Microsecond: "350µs", 42 * time.Millisecond: "42ms", 1500 * time.Millisecond: "1.50s",
		42 * time.Second: "42.0s", 90 * time.Second: "1m30s", time.Hour: "1h", 26*time.Hour + 5*time.Minute: "26h05m", 75 * time.Hour: "3d03h"} {
		require.Equal(t, want, Took(d))
	}
	require.Equal(t, "-12\u2009345", Number(-12345))
	require.Equal(t, []string{"0.0/day", "2.0/day", "1.0/h", "2.0/min", "50.0/s"},
		[]string{Rate(0, time.Hour), Rate(14, 7*24*time.Hour), Rate(24, 24*time.Hour), Rate(120, time.Hour), Rate(180_000, time.Hour)})
	require.Equal(t, "-123", Number(-123))
	require.Equal(t, "1\u2009000", Number(1000))
}
