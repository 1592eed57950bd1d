package definition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/payload"
)

// hide collects secret fields of the saga's types that the plan does not name, and refuses names of
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

// meant suggests the most similar name.
func meant(name string, names []string) string {
	if best := accept.Meant(name, names); best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	if len(names) == 0 {
		return ": they have none"
	}
	return fmt.Sprintf(": they have %.200s", strings.Join(names, ", "))
}
