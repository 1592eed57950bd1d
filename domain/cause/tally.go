package cause

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Tally counts failures by their cause, so that people are told of one cause where a hundred
// messages differ in an id. The zero value has counted nothing.
type Tally struct{ causes map[string]*tallied }

// tallied is a cause, and how often it was counted.
type tallied struct {
	text  string
	first string // the first message
	n     int
	vary  bool // the messages differ
}

const (
	// shownCauses is how many causes a tally names.
	shownCauses = 3
	// maxName bounds a name, in characters.
	maxName = 80
)

// Add counts a failure by its message. An empty message is not counted.
func (t *Tally) Add(message string) {
	text := Of(&domain.Failure{Message: message})
	if text == "" {
		return
	}
	if t.causes == nil {
		t.causes = make(map[string]*tallied)
	}
	c := t.causes[text]
	if c == nil {
		c = &tallied{text: text, first: message}
		t.causes[text] = c
	}
	c.n++
	c.vary = c.vary || message != c.first
}

// String names the most frequent causes, such as "card_gone (3), order # gone (2) and 1 more". A
// cause whose messages are all the same is named as they are. It is empty if nothing was counted.
func (t *Tally) String() string {
	list := make([]*tallied, 0, len(t.causes))
	for _, c := range t.causes {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *tallied) int { return cmp.Or(b.n-a.n, strings.Compare(a.text, b.text)) })
	more := len(list) - shownCauses
	list = list[:min(shownCauses, len(list))]
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.text
		if !c.vary {
			names[i] = strings.Join(strings.Fields(c.first), " ")
		}
		if r := []rune(names[i]); len(r) > maxName {
			names[i] = string(r[:maxName-1]) + "…"
		}
		if len(list) > 1 {
			names[i] += fmt.Sprintf(" (%d)", c.n)
		}
	}
	text := strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
