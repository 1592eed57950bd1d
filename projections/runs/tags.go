package runs

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
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

// keyPart is how many bytes of a key are compared as one number. See [keyNumbers].
const keyPart = 8

// keyNumbers returns the smallest and the largest number of keys that begin with the prefix: the
// number of a key are its first 8 bytes. In blocks, numbers that are alike take little room.
func keyNumbers(prefix string) (from, to int64) {
	lo, hi := [keyPart]byte{}, [keyPart]byte{}
	for i := range hi {
		hi[i] = 0xff
	}
	copy(lo[:], prefix)
	copy(hi[:], prefix)
	number := func(b [keyPart]byte) int64 { // in the order of the bytes
		return int64(binary.BigEndian.Uint64(b[:]) ^ 1<<63)
	}
	return number(lo), number(hi)
}

// keyBegins returns the conditions that a run's key begins with the prefix.
func keyBegins(prefix string) (out []projections.Cond) {
	rest := prefix
	for _, column := range []string{"key1", "key2"} {
		from, to := keyNumbers(rest)
		out = append(out, projections.Ge(column, from), projections.Le(column, to))
		if len(rest) <= keyPart {
			return out
		}
		rest = rest[keyPart:]
	}
	return append(out, projections.Begins("key", prefix))
}

// idEnd returns the last 16 digits of an id backwards, so that an index finds it by its end.
func idEnd(id domain.RunID) string {
	digits := []byte(hex.EncodeToString(id[8:]))
	slices.Reverse(digits)
	return string(digits)
}
