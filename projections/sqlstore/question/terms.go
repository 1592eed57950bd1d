package question

import (
	"iter"
	"strings"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore/lists"
)

// Terms yields the names of the lists that a row is in, besides the one of everything. The values
// are as [ToSQL] returns them.
func Terms(t *projections.Table, values []any) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range t.Lists {
			i := t.Column(name)
			v := values[i]
			if v == nil {
				continue
			}
			if t.Columns[i].Type != projections.Texts {
				if !yield(lists.Term(name, v)) {
					return
				}
				continue
			}
			text, _ := v.(string)
			for _, one := range readTexts(text) {
				if !yield(lists.Term(name, one)) {
					return
				}
			}
		}
		if t.Words == "" {
			return
		}
		text, _ := values[t.Column(t.Words)].(string)
		for word := range strings.FieldsSeq(text) {
			if !yield(lists.Term(t.Words, word)) {
				return
			}
		}
	}
}
