package sagatest

import (
	"fmt"
	"strings"
)

// differ compares two lists and says, with a mark, where they differ first; empty if they do not.
func differ(what string, want, got []string) string {
	at := 0
	for at < len(want) && at < len(got) && want[at] == got[at] {
		at++
	}
	if at == len(want) && at == len(got) {
		return ""
	}
	width := len("wanted")
	for _, w := range want {
		width = max(width, len([]rune(w)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s differ at %d:\n     %-*s  got\n", what, at+1, width, "wanted")
	for i := range max(len(want), len(got)) {
		mark := " "
		if i == at {
			mark = "▶"
		}
		fmt.Fprintf(&b, "  %s  %-*s  %s\n", mark, width, entry(want, i), entry(got, i))
	}
	return b.String()
}

// entry returns an entry of a list, or a sign that there is none.
func entry(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "–"
}
