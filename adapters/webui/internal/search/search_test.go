package search

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
		"label:tenant", "label:=a", "version:0", "version:-3", "version:x", "parent:x", "label:tenant=a label:tenant=b", "\xff", "saga:\xff"} {
		require.NotEmpty(t, Runs(text, searchNow).Bad, text)
	}
	s := Runs("since:7d until:90m label:tenant=a label:tenant=a label:b= version:v2", searchNow)
	require.Empty(t, s.Bad)
	require.Equal(t, searchNow.AddDate(0, 0, -7), s.Filter.From)
	require.Equal(t, searchNow.Add(-90*time.Minute), s.Filter.To)
	require.Equal(t, map[string]string{"tenant": "a", "b": ""}, s.Filter.Labels)
}

// FuzzSearch finds texts that become a filter which no view can compare.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{"since:7d until:90m", `label:"a b"=c saga:x`, "version:v9999999999999999999", "since:1e300d", "since:0001-01-01", "\"\x00"} {
		f.Add(text)
	}
	first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	f.Fuzz(func(t *testing.T, text string) {
		s := Runs(text, searchNow)
		for _, at := range []time.Time{s.Filter.From, s.Filter.To} {
			if !at.IsZero() && (at.Before(first) || at.After(last)) {
				t.Fatalf("%q is %v", text, at)
			}
		}
		for _, v := range s.Filter.Versions {
			if v < 1 {
				t.Fatalf("%q asks for version %d", text, v)
			}
		}
	})
}

func TestSearchTakesConditionsApart(t *testing.T) {
	t.Parallel()
	s := Runs(`saga:order "card gone" label:tenant="big co" note:x 12:30`, searchNow)
	require.Equal(t, []string{"order"}, s.Filter.Sagas)
	require.Equal(t, map[string]string{"tenant": "big co"}, s.Filter.Labels)
	require.Equal(t, "card gone note:x 12:30", s.Filter.Text, "what is no condition is searched for")
	require.Equal(t, searchNow.Add(-90*time.Minute), Runs("since:90m", searchNow).Filter.From)
	require.Equal(t, searchNow.AddDate(0, 0, -2), Runs("since:2d", searchNow).Filter.From)
	require.Equal(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Runs("until:2026-01-02", searchNow).Filter.To)
}
