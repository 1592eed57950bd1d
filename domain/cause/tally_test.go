package cause_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain/cause"
)

// TestATallyNamesCausesRatherThanMessages: messages that differ in an id are one cause; a message
// that does not differ is told as it is.
func TestATallyNamesCausesRatherThanMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want     string
		messages []string
	}{
		{"", nil},
		{"", []string{"", "  "}},
		{"order 7 gone", []string{"order 7 gone", "order 7 gone"}},
		{"order # gone", []string{"order 7 gone", "order 8 gone"}},
		{"order # gone (2), card_gone (1)", []string{"order 7 gone", "card_gone", "order 8 gone"}},
		{"e (2), a (1), b (1) and 2 more", []string{"a", "b", "c", "d", "e", "e"}},
	} {
		var tally cause.Tally
		for _, m := range c.messages {
			tally.Add(m)
		}
		require.Equal(t, c.want, tally.String())
	}
}
