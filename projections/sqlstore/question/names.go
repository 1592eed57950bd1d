package question

import (
	"slices"
	"strings"
)

// Quote returns a name as SQL has it.
func Quote(name string) string { return `"` + name + `"` }

// Quoted returns names as SQL has them, with commas between.
func Quoted(names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(Quote(n))
	}
	return b.String()
}

// WithKey appends those of the key's columns that are not among the names.
func WithKey(names, key []string) []string {
	out := slices.Clone(names)
	for _, k := range key {
		if !slices.Contains(names, k) {
			out = append(out, k)
		}
	}
	return out
}
