package definition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/saga/internal/payload"
)

// hide notes what the saga's types keep secret beyond the names in the plan, and refuses names of
// the option Secret that no type has.
func (b *Builder) hide() {
	types := b.tags.types
	opaque := b.plans
	for _, t := range types {
		opaque = opaque || t.Opaque
	}
	for _, a := range b.actions {
		types = append(types, a.Secrets)
	}
	b.plan.Hidden = hideIn(b.plan, types...)
	if opaque {
		return
	}
	var members []string
	for _, t := range types {
		members = append(members, t.Members...)
	}
	members = payload.Without(members, nil)
	for _, name := range b.tags.named {
		if name == "*" {
			continue
		}
		for part := range strings.SplitSeq(name, ".") {
			if !slices.ContainsFunc(members, func(m string) bool { return strings.EqualFold(m, part) || strings.EqualFold(m, name) }) {
				b.fail("", "Secret(%q): no type of the saga has a field %q%s", name, part, meant(part, members))
				break
			}
		}
	}
}

// meant says which name was probably meant: one that few changes turn the given one into.
func meant(name string, names []string) string {
	best, least := "", len(name)/3+2
	for _, n := range names {
		if d := changes(strings.ToLower(name), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	if best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	if len(names) == 0 {
		return ": they have none"
	}
	return fmt.Sprintf(": they have %.200s", strings.Join(names, ", "))
}

// changes counts the letters to insert, drop, replace or swap with their neighbour to turn one name
// into the other.
func changes(from, to string) int {
	a, b := []rune(from), []rune(to)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
