package data

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
)

// answer says what comes back means.
type answer struct {
	statuses map[string]string // 404 or 4xx → a word
	value    *expr.Value       // nil for the body as it is
}

// answerType is what an expression can read of an answer.
var answerType = &expr.Type{Kind: expr.Object, Words: "answer", Fields: []expr.Field{
	{Name: "status", Type: &expr.Type{Kind: expr.Integer}, Required: true}, {Name: "body", Type: expr.Open, Required: true}}}

// outcomes are the words for what a status means.
var outcomes = map[string][]string{
	"call":  {"done", "refused", "nothingDone", "inDoubt"},
	"undo":  {"done", "refused", "nothingDone", "inDoubt"},
	"probe": {"applied", "notApplied", "unknown"},
}

var statusName = regexp.MustCompile(`^[2-5](\d\d|xx)$`)

// meanings reads which statuses mean what.
func (c *compiler) meanings(m *members, what string, r *request) {
	n := m.get("statuses")
	if n == nil {
		return
	}
	if n.Kind != source.Map {
		m.add(n.Pos, "statuses must be a map such as {404: %s}", outcomes[what][0])
		return
	}
	r.answer.statuses = map[string]string{}
	for i, key := range n.Keys {
		switch word := n.Items[i].Text; {
		case !statusName.MatchString(key.Text):
			m.add(key.Pos, "statuses: %q is no status: use 200 to 599, or 2xx to 5xx", key.Text)
		case !slices.Contains(outcomes[what], word):
			m.add(n.Items[i].Pos, "statuses: %q is not known here: use %s", word, strings.Join(outcomes[what], ", "))
		default:
			r.answer.statuses[key.Text] = word
		}
	}
}

// word returns what the file says of a status, or nothing.
func (a answer) word(status int) string {
	text := fmt.Sprint(status)
	if word := a.statuses[text]; word != "" {
		return word
	}
	return a.statuses[text[:1]+"xx"]
}

// judge returns nil for a success, and else an error with a verdict.
func (r *request) judge(reply Reply) error {
	word := r.answer.word(reply.Status)
	switch word {
	case "":
		return reply.Meaning
	case "done":
		return nil
	}
	err := reply.Meaning
	if err == nil {
		err = fmt.Errorf("%s %s: %d", r.method, r.origin, reply.Status)
	}
	if reply.Copied != "" && word != "inDoubt" {
		return saga.InDoubt(fmt.Errorf("%w (%s)", err, reply.Copied))
	}
	switch word {
	case "refused":
		return saga.Permanent(err)
	case "nothingDone":
		return saga.NothingDone(err)
	}
	return saga.InDoubt(err)
}
