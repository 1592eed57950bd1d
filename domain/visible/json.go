package visible

import (
	"encoding/json"
	"strings"
)

// AsWritten returns JSON with &, < and > in its strings as people write them: Go's encoder writes
// them as \u0026, \u003c and \u003e, for HTML.
func AsWritten(payload json.RawMessage) string {
	text := string(payload)
	if !strings.Contains(text, `\u00`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		if c, ok := plain[strings.ToLower(text[i:min(i+6, len(text))])]; ok {
			b.WriteByte(c)
			i += 5
			continue
		}
		b.WriteString(text[i : i+2]) // the second may be a backslash
		i++
	}
	return b.String()
}

var plain = map[string]byte{`\u0026`: '&', `\u003c`: '<', `\u003e`: '>'}
