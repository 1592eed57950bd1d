package webui

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var searchNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestASearchSaysWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"since:NaNd", "since:-5d", "since:99999999999d", "since:-1h", "until:9999-12-31", "until:1500-01-01", "until:9999-12-31T23:59:59-12:00",
		"label:tenant", "label:=a", "version:0", "version:-3", "version:x", "parent:x", "label:tenant=a label:tenant=b"} {
		require.NotEmpty(t, parseSearch(text, searchNow).bad, text)
	}
	s := parseSearch("since:7d until:90m label:tenant=a label:tenant=a label:b= version:v2", searchNow)
	require.Empty(t, s.bad)
	require.Equal(t, searchNow.AddDate(0, 0, -7), s.filter.From)
	require.Equal(t, searchNow.Add(-90*time.Minute), s.filter.To)
	require.Equal(t, map[string]string{"tenant": "a", "b": ""}, s.filter.Labels)
}

// FuzzSearch finds texts that become a filter which no view can compare.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{"since:7d until:90m", `label:"a b"=c saga:x`, "version:v9999999999999999999", "since:1e300d", "since:0001-01-01", "\"\x00"} {
		f.Add(text)
	}
	first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	f.Fuzz(func(t *testing.T, text string) {
		s := parseSearch(text, searchNow)
		for _, at := range []time.Time{s.filter.From, s.filter.To} {
			if !at.IsZero() && (at.Before(first) || at.After(last)) {
				t.Fatalf("%q is %v", text, at)
			}
		}
		for _, v := range s.filter.Versions {
			if v < 1 {
				t.Fatalf("%q asks for version %d", text, v)
			}
		}
	})
}
