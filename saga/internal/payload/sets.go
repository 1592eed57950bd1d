package payload

import (
	"slices"
)

// Without returns, sorted, the names that are not among the others; nil for none.
func Without(names, others []string) (rest []string) {
	for _, n := range names {
		if !slices.Contains(others, n) {
			rest = append(rest, n)
		}
	}
	slices.Sort(rest)
	return slices.Compact(rest)
}

// Union returns the sorted names of both.
func Union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
