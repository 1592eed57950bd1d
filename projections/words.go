package projections

import (
	"strings"
	"unicode"
)

// Limits of a row's words; PostgreSQL accepts words of up to 2 KiB.
const (
	maxWord  = 128  // bytes of one word
	maxWords = 8192 // bytes of all
)

// Words returns the words of the texts as a Words column holds them: in lower case, letters
// and digits only, each once, separated by one space. A word of more than
// 128 bytes is cut, and words past 8 KiB are left out. Stores never split text themselves, so
// that all of them find the same.
func Words(texts ...string) string {
	var b strings.Builder
	var seen map[string]bool
	for _, text := range texts {
		for w := range strings.FieldsFuncSeq(text, splitsWords) {
			w = strings.ToLower(w)
			if len(w) > maxWord {
				w = strings.ToValidUTF8(w[:maxWord], "")
			}
			if b.Len()+len(w) >= maxWords {
				return b.String()
			}
			if seen[w] || w == "" {
				continue
			}
			if seen == nil {
				seen = make(map[string]bool)
			}
			seen[w] = true
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(w)
		}
	}
	return b.String()
}

func splitsWords(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
