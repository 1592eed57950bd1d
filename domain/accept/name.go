package accept

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest names, in bytes.
const (
	// MaxName is for streams, event types, signals, actors and correlation ids.
	MaxName = 250
	// MaxKey is for the keys of runs and the ids of traces and causes.
	MaxKey = 500
	// MaxReason is for the reasons and other texts that people write.
	MaxReason = 16 << 10
	// MaxLabels and MaxLabelBytes bound the labels of a run.
	MaxLabels, MaxLabelBytes = 50, 8 << 10
)

// Name refuses a name that is empty, longer than limit bytes, not UTF-8, or that has invisible
// characters: control characters, line and paragraph separators, marks of direction and of byte
// order, spaces without width, soft hyphens and fillers, the replacement character. It accepts the
// joiners U+200C and U+200D: Persian and emoji need them.
func Name(what, s string, limit int) error {
	if s == "" {
		return fmt.Errorf("%s is empty: give it a name", what)
	}
	return OptionalName(what, s, limit)
}

// OptionalName is [Name] for a name that may be absent.
func OptionalName(what, s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%s is %d bytes; at most %d fit", what, len(s), limit)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s is not valid UTF-8", what)
	}
	if i := strings.IndexFunc(s, unseen); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Errorf("%s has the character %U at byte %d, which no screen shows: leave it out", what, r, i)
	}
	return nil
}

// unseen reports whether a character is invisible or changes how its neighbours look.
func unseen(r rune) bool {
	switch r {
	case '\u200c', '\u200d':
		return false
	case '\u2028', '\u2029', utf8.RuneError:
		return true
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point)
}

// Text refuses a person's text that is longer than [MaxReason], not UTF-8, or has control
// characters other than tabs and line ends.
func Text(what, s string) error {
	switch {
	case len(s) > MaxReason:
		return fmt.Errorf("%s is %d bytes; at most %d fit", what, len(s), MaxReason)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s is not valid UTF-8", what)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Errorf("%s has the control character %U at byte %d: leave it out", what, r, i)
	}
	return nil
}

// Labels refuses too many or too large labels, and names and values that [Name] refuses. A value
// may be empty; a name must not contain =.
func Labels(labels map[string]string) error {
	var errs []error
	size := 0
	for name, value := range labels {
		size += len(name) + len(value)
		errs = append(errs, Name("a label's name", name, MaxLabelBytes), OptionalName("the label "+part(name), value, MaxLabelBytes))
		if strings.Contains(name, "=") {
			errs = append(errs, fmt.Errorf("the label's name %q contains =, so no filter could name it: rename it", part(name)))
		}
	}
	if len(labels) > MaxLabels || size > MaxLabelBytes {
		return fmt.Errorf("%d labels of %d bytes; at most %d labels of %d bytes in all fit", len(labels), size, MaxLabels, MaxLabelBytes)
	}
	return errors.Join(errs...)
}

// Label splits a label or condition of the form NAME=VALUE and adds it to labels. It refuses a name
// that is there already with another value.
func Label(into map[string]string, text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("label %q: write it as NAME=VALUE", part(text))
	}
	if old, ok := into[name]; ok && old != value {
		return fmt.Errorf("label %q is given twice, with the values %q and %q: a run has one value for it", part(name), part(old), part(value))
	}
	into[name] = value
	return nil
}

// part returns the beginning of a caller's text, for error messages.
func part(s string) string {
	const most = 80
	if len(s) <= most {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
