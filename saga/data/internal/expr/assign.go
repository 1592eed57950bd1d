package expr

import (
	"fmt"
	"strings"
)

// misfit says why a value of the one type can't stand where the other is wanted, or nothing.
// optional means that nothing need stand there.
func misfit(got, want *Type, optional bool) string {
	switch {
	case want.Kind == Other && !got.Maybe:
		return ""
	case got.Kind == Other || got.Kind == Duration:
		return fmt.Sprintf("it is %v, which JSON can't hold: make a text of it with string(…)", got)
	case want.Kind == Any && got.Kind == Nothing:
		return ""
	case got.Kind == Any || want.Kind == Any:
		if got.Maybe && !optional {
			return maybe
		}
		return ""
	case got.Kind == Nothing:
		if optional || want.Maybe || want.Kind == Nothing || want.Kind == List || want.Kind == Map {
			return ""
		}
		return fmt.Sprintf("it is nothing, not %v", want)
	case got.Maybe && !optional && !want.Maybe:
		return maybe
	}
	got = got.Always()
	switch {
	case want.Kind == Number && got.Kind == Integer, want.Kind == Text && got.Kind == Timestamp:
		return ""
	case want.Kind == Map && got.Kind == Object:
		for _, f := range got.Fields {
			if why := misfit(f.Type, want.Elem, true); why != "" {
				return f.Name + ": " + why
			}
		}
		return ""
	case want.Kind == Object && got.Kind == Map:
		return "" // which members it has shows when it runs
	case want.Kind != got.Kind:
		return fmt.Sprintf("it is %v, not %v", got, want)
	case want.Kind == List || want.Kind == Map:
		if why := misfit(got.Elem, want.Elem, want.Kind == Map); why != "" {
			return "its items: " + why
		}
	case want.Kind == Object:
		return misfits(got, want)
	}
	return ""
}

const maybe = "it may be absent: give another value with orValue(…), or ask with has(…)"

// misfits is misfit for the members of objects.
func misfits(got, want *Type) string {
	for _, f := range got.Fields {
		w := want.Field(f.Name)
		switch {
		case w == nil && !want.Open:
			return NoField(f.Name, want)
		case w == nil:
			continue
		case w.Required && !f.Required:
			return fmt.Sprintf("%s: %s", f.Name, maybe)
		}
		if why := misfit(f.Type, w.Type, !w.Required); why != "" {
			return f.Name + ": " + why
		}
	}
	if lacks := missing(want, func(name string) bool { return got.Field(name) != nil || got.Open }); lacks != "" {
		return lacks
	}
	return ""
}

// missing says which required members are not given.
func missing(want *Type, given func(name string) bool) string {
	var names []string
	for _, f := range want.Fields {
		if f.Required && !given(f.Name) {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("it lacks %s", strings.Join(names, ", "))
}
