package search

import (
	"slices"
	"strings"

	"github.com/atonehq/atone/projections/runs"
)

// List is one of the lists that are searched.
type List string

// The lists.
const (
	InRuns      List = "runs"
	InAudit     List = "audit"
	InIncidents List = "incidents"
)

// Suggestion is something that can be typed next.
type Suggestion struct {
	// Text is the whole text with it, Part only the part that it completes.
	Text, Part string
	// Note says what it selects; empty for a value.
	Note string
}

// mostSuggestions is how many suggestions are returned.
const mostSuggestions = 20

// Complete returns what the last part of a text may become, at most 20 suggestions: conditions
// while no colon is typed, then their values.
func Complete(text string, list List, names Names) []Suggestion {
	switch list {
	case InRuns:
		return ofRuns.complete(text, names)
	case InAudit:
		return ofAudit.complete(text, names)
	case InIncidents:
		return ofIncidents.complete(text, names)
	}
	return nil
}

// Conditions lists the names of the conditions of a list.
func Conditions(list List) []string {
	switch list {
	case InRuns:
		return ofRuns.conditionNames()
	case InAudit:
		return ofAudit.conditionNames()
	case InIncidents:
		return ofIncidents.conditionNames()
	}
	return nil
}

func (l *language[F]) complete(text string, names Names) (out []Suggestion) {
	parts, err := split(text)
	if err != nil && len(parts) == 0 {
		return nil
	}
	last := part{from: len(text)}
	if n := len(parts); n > 0 && parts[n-1].from+len(parts[n-1].raw) == len(text) {
		last = parts[n-1]
	}
	add := func(part, note string) {
		if len(out) < mostSuggestions {
			out = append(out, Suggestion{Text: text[:last.from] + part, Part: part, Note: note})
		}
	}
	if last.name == "" {
		for i := range l.conditions {
			if c := &l.conditions[i]; strings.HasPrefix(c.name, last.value) && !strings.HasPrefix(last.raw, `"`) {
				add(c.name+":", c.help)
			}
		}
		if l.field != nil && (last.value == "" || last.value[0] == '.') {
			for _, f := range names.all(runs.Fields) {
				if strings.HasPrefix("."+f, last.value) {
					add("."+f+":", "with that in the search field")
				}
			}
		}
		return out
	}
	c := l.find(last.name)
	if c == nil || c.values == nil || last.open {
		return nil
	}
	for _, v := range c.values(names, last.value) {
		if strings.HasPrefix(v, last.value) {
			add(Condition(c.name, v), "")
		}
	}
	return out
}

// namesOf returns names as the values of a condition.
func namesOf(of runs.Of) func(Names, string) []string {
	return func(names Names, begun string) []string {
		if names == nil {
			return nil
		}
		return names(of, begun)
	}
}

// labelValues lists names of labels and, behind the =, values.
func labelValues(names Names, begun string) []string {
	if names == nil {
		return nil
	}
	name, _, ok := strings.Cut(begun, "=")
	if ok {
		var out []string
		for _, v := range names(runs.LabelValues, begun) {
			out = append(out, name+"="+v)
		}
		return out
	}
	list := slices.Clone(names(runs.Labels, begun))
	for i := range list {
		list[i] += "="
	}
	return list
}
