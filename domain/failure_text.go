package domain

import "strings"

// MaxMessage bounds the text of an error, or of a person's reason, in an event, in bytes.
const MaxMessage = 16 << 10

// ShortMessage cuts a message to what an event holds.
func ShortMessage(message string) string { return CutText(message, MaxMessage) }

// CutText cuts a text to at most n bytes and a mark, and makes it valid UTF-8, as the log returns
// it.
func CutText(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
