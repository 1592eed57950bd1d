package format

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestInstantsInNotesAreShownInTheReadersZone: the browser finds them as it does those of
// sentences.
func TestInstantsInNotesAreShownInTheReadersZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, []Span{{Text: "until "}, {Text: "2026-01-02T03:04:05Z", At: at}, {Text: ", the bank is down"}}, Spans(Zoned("until 2026-01-02T03:04:05Z, the bank is down")))
	for _, note := range []string{"", "until noon", "until 2026-99-02T03:04:05Z", "key 2026-01-02T03:04:05Z", "notuntil 2026-01-02T03:04:05Z"} {
		require.Equal(t, note, Zoned(note))
	}
}
