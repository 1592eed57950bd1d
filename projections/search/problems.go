package search

import (
	"fmt"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// Problem is a part of a text that is not understood.
type Problem struct {
	// Part is the part as it was typed; empty where the whole text is meant.
	Part string
	// Why says what is wrong and what to write instead.
	Why string
}

// String returns the problem as a sentence.
func (p Problem) String() string {
	if p.Part == "" {
		return "the search can't be read: " + p.Why
	}
	return fmt.Sprintf("%q is not understood: %s", domain.CutText(p.Part, 80), p.Why)
}

// Error is all that is wrong with a text.
type Error []Problem

// Error implements error.
func (p Error) Error() string {
	texts := make([]string, len(p))
	for i := range p {
		texts[i] = p[i].String()
	}
	return strings.Join(texts, "; ")
}

// or returns nothing as nil, so that callers can compare with nil.
func (p Error) orNil() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// didYouMean ends a sentence on an unknown name: with the name that may have been meant, else with
// those that there are.
func didYouMean(name string, names []string) string {
	if m := accept.Meant(name, names); m != "" {
		return fmt.Sprintf(": did you mean %s?", m)
	}
	if len(names) == 0 {
		return ": there are none"
	}
	const most = 20
	more := ""
	if len(names) > most {
		names, more = names[:most], " and more"
	}
	return ": there are " + strings.Join(names, ", ") + more
}
