package search

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/projections/runs"
)

// condition is a condition of a language. F is the filter that it narrows.
type condition[F any] struct {
	name string
	// form is how it is written, and help what it selects.
	form, help string
	// set narrows the filter by the value, or says what is wrong with that.
	set func(r *reading[F], p *part) error
	// values lists what can be typed as a value that begins with the text; nil for anything.
	values func(names Names, begun string) []string
	// open means that the value may end with *.
	open bool
}

// language is what one list can be searched for.
type language[F any] struct {
	conditions []condition[F]
	// field, if set, takes conditions whose name begins with a dot.
	field func(r *reading[F], p *part) error
	// words is where the filter has its words; id takes a run's whole id.
	words func(*F) *string
	id    func(f *F, id uuid.UUID)
}

// reading is a text that is being read into a filter.
type reading[F any] struct {
	filter F
	now    time.Time
	names  Names
	given  map[string]bool
}

// once refuses a condition that is given a second time.
func (r *reading[F]) once(name string) error {
	if r.given[name] {
		return fmt.Errorf("%s is given twice: give it once", name)
	}
	r.given[name] = true
	return nil
}

func (l *language[F]) find(name string) *condition[F] {
	for i := range l.conditions {
		if l.conditions[i].name == name {
			return &l.conditions[i]
		}
	}
	return nil
}

func (l *language[F]) conditionNames() []string {
	out := make([]string, len(l.conditions))
	for i := range l.conditions {
		out[i] = l.conditions[i].name
	}
	return out
}

// read reads a text. The error is a [Error].
func (l *language[F]) read(text string, now time.Time, names Names) (F, error) {
	r := &reading[F]{now: now, names: names, given: make(map[string]bool)}
	var none F
	var problems Error
	parts, err := split(text)
	if err != nil {
		return none, Error{{Why: err.Error()}}
	}
	var words []string
	for i := range parts {
		p := &parts[i]
		if p.name == "" {
			if id, ok := WholeID(p.raw); ok {
				l.id(&r.filter, id)
			} else {
				words = append(words, p.value)
			}
			continue
		}
		if err := l.condition(r, p); err != nil {
			problems = append(problems, Problem{Part: p.raw, Why: err.Error()})
		}
	}
	if len(words) > 0 {
		text := strings.Join(words, " ")
		if err := addWords(l.words(&r.filter), text); err != nil {
			problems = append(problems, Problem{Part: text, Why: err.Error()})
		}
	}
	if len(problems) > 0 {
		return none, problems.orNil()
	}
	return r.filter, nil
}

// condition narrows the filter by a part that has a name.
func (l *language[F]) condition(r *reading[F], p *part) error {
	if strings.HasPrefix(p.name, ".") && l.field != nil {
		return l.field(r, p)
	}
	c := l.find(p.name)
	switch {
	case c == nil:
		return l.unknown(r, p)
	case p.value == "" && !p.open:
		return fmt.Errorf("it has no value: write %s", c.form)
	case p.open && !c.open:
		return fmt.Errorf("%s takes no *: write %s", c.name, c.form)
	}
	return c.set(r, p)
}

// unknown says what may have been meant by an unknown condition.
func (l *language[F]) unknown(r *reading[F], p *part) error {
	quoted := quote(p.raw, true)
	if l.field != nil {
		for _, f := range r.names.all(runs.Fields) {
			if strings.EqualFold(f, p.name) {
				return fmt.Errorf("the search field %s is written with a dot: .%s", f, p.raw)
			}
		}
	}
	for _, saga := range r.names.all(runs.Sagas) {
		if saga == p.name && l.find("saga") != nil && l.find("key") != nil {
			return fmt.Errorf("%s is a saga: write saga:%s key:%s", saga, saga, p.value)
		}
	}
	return fmt.Errorf("there is no condition %s%s; to search for it as words, write %s", p.name, didYouMean(p.name, l.conditionNames()), quoted)
}
