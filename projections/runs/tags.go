package runs

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
)

// tags returns what the run is found by besides its columns.
func (r *Row) tags() []string {
	out := make([]string, 0, 2+len(r.Labels)+len(r.Actions)+len(r.Steps))
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		out = append(out, labelTag(name, r.Labels[name]))
	}
	for _, a := range r.Actions {
		out = append(out, actionTag(a))
	}
	if r.Actor != "" {
		out = append(out, actorTag(r.Actor))
	}
	step := func(path string) {
		if tag := stepTag(path); path != "" && !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	for i := range r.Steps {
		step(r.Steps[i].Step)
	}
	if r.Cause != nil {
		step(r.Cause.Step)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		for _, v := range r.Fields[name] {
			out = append(out, fieldTag(name, v))
		}
	}
	return out
}

// states returns the texts of [Row.States].
func (r *Row) states() []string {
	states := r.States()
	out := make([]string, len(states))
	for i, s := range states {
		out[i] = string(s)
	}
	return out
}

// labelTag includes the length of the name, because names and values may contain any characters.
func labelTag(name, value string) string { return named("l", name, value) }

func named(kind, name, value string) string {
	return kind + strconv.Itoa(len(name)) + ":" + name + "=" + value
}

func actionTag(action string) string { return "a:" + action }

func actorTag(actor string) string { return "by:" + actor }

// stepTag leaves out which item of a list a step is about: thousands of items would make as many
// lists.
func stepTag(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "#"
		}
	}
	return "s:" + strings.Join(parts, "/")
}

// fieldTag is the same for names and values in lower and upper case.
func fieldTag(name, value string) string {
	return named("f", strings.ToLower(name), strings.ToLower(value))
}

// idEnd returns the last 16 digits of an id backwards, so that an index finds it by its end.
func idEnd(id domain.RunID) string {
	digits := []byte(hex.EncodeToString(id[8:]))
	slices.Reverse(digits)
	return string(digits)
}
