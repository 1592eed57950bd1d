package visible

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHiddenCharactersAreWrittenOut(t *testing.T) {
	t.Parallel()
	require.Equal(t, "plain ü 日本 👩‍🚀", Line("plain ü 日本 👩‍🚀"), "what people write stays")
	require.Equal(t, "a\nb\tc", Text("a\nb\tc"))
	require.Equal(t, `a\nb\tc\u000d`, Line("a\nb\tc\r"))
	require.Equal(t, `\u001b[2J\u0000\u007f\u009b1m`, Text("\x1b[2J\x00\x7f\u009b1m"))
	require.Equal(t, `invoice\u202efdp.exe \u2066x\u2069 \u200e\u200f\u061c\ufeff\u200b\u2028`, Text("invoice\u202efdp.exe \u2066x\u2069 \u200e\u200f\u061c\ufeff\u200b\u2028"))
}
