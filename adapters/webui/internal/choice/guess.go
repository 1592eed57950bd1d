package choice

import (
	"encoding/hex"
	"strings"

	"github.com/atonehq/atone/projections/runs"
)

// Guesses returns other meanings of a single word that occurs in no error: the beginning of a key,
// or the end of an id. People paste both.
func Guesses(f runs.Filter) (out []runs.Filter) {
	word := f.Text
	if word == "" || strings.Contains(word, " ") || f.Cursor != "" {
		return nil
	}
	f.Text = ""
	for _, m := range []runs.Match{{On: runs.OnKey, Value: word, Begins: true}, {On: runs.OnID, Value: word}} {
		if _, err := hex.DecodeString(word + strings.Repeat("0", len(word)%2)); m.Check() == nil && (m.On == runs.OnKey || err == nil) {
			g := f
			g.Matches = append([]runs.Match{m}, f.Matches...)
			out = append(out, g)
		}
	}
	return out
}
