package data

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
)

// members reads a map of a file. Every member must be asked for.
type members struct {
	book  *source.Book
	node  *source.Node
	says  string
	asked []string
}

// add tells of a problem.
func (m *members) add(at source.Pos, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if m.says != "" {
		text = m.says + ": " + text
	}
	m.book.Add(at, "%s", text)
}

// get returns a member, or nil.
func (m *members) get(name string) *source.Node {
	m.asked = append(m.asked, name)
	return m.node.Get(name)
}

// done refuses members that nobody asked for.
func (m *members) done() {
	for _, key := range m.node.Keys {
		if !slices.Contains(m.asked, key.Text) {
			m.add(key.Pos, "%q is not known here%s", key.Text, expr.Meant(key.Text, m.asked))
		}
	}
}

// text returns the text of a member, which is empty where there is none.
func (m *members) text(name string) string {
	n := m.get(name)
	if n == nil {
		return ""
	}
	if n.Kind != source.Text {
		m.add(n.Pos, "%s is %v, not a text", name, n.Kind)
		return ""
	}
	return n.Text
}

// count returns an integer that is at least least, or the other value where there is no member.
// unlimited is the value of the word unlimited; 0 means that it can't be said.
func (m *members) count(name string, least, other, unlimited int) int {
	n := m.get(name)
	if n == nil {
		return other
	}
	if unlimited != 0 && n.Kind == source.Text && n.Text == "unlimited" {
		return unlimited
	}
	i, err := strconv.Atoi(n.Text)
	if n.Kind != source.Int || err != nil || i < least {
		words := ""
		if unlimited != 0 {
			words = `, or "unlimited"`
		}
		m.add(n.Pos, "%s must be an integer of %d or more%s", name, least, words)
		return other
	}
	return i
}

// number returns a positive number, or 0 where there is no member.
func (m *members) number(name string) float64 {
	n := m.get(name)
	if n == nil {
		return 0
	}
	f, err := strconv.ParseFloat(n.Text, 64)
	if n.Kind != source.Int && n.Kind != source.Float || err != nil || f <= 0 {
		m.add(n.Pos, "%s must be a number above 0", name)
		return 0
	}
	return f
}

// duration returns a positive duration, or 0 where there is no member.
func (m *members) duration(name string) time.Duration {
	n := m.get(name)
	if n == nil {
		return 0
	}
	d, err := time.ParseDuration(n.Text)
	if n.Kind != source.Text || err != nil || d <= 0 {
		m.add(n.Pos, "%s must be a duration above 0, such as 500ms, 30s or 24h", name)
		return 0
	}
	return d
}

// yes returns whether a member is true.
func (m *members) yes(name string) bool {
	n := m.get(name)
	if n != nil && n.Kind != source.Bool {
		m.add(n.Pos, "%s must be true or false", name)
	}
	return n != nil && n.Kind == source.Bool && n.Text == "true"
}

// retry returns how a failed attempt is tried again, zero where it does not say, or nil where there
// is no member.
func (m *members) retry(name string) *saga.Retry {
	n := m.get(name)
	if n == nil {
		return nil
	}
	if n.Kind != source.Map {
		m.add(n.Pos, "%s must be a map, such as {maxAttempts: 5, initial: 1s}", name)
		return nil
	}
	inner := &members{book: m.book, node: n, says: name}
	if m.says != "" {
		inner.says = m.says + ": " + name
	}
	r := &saga.Retry{MaxAttempts: inner.count("maxAttempts", 1, 0, domain.Unlimited), Multiplier: inner.number("multiplier"), Fraction: inner.number("fraction"),
		Jitter: saga.Jitter(inner.text("jitter")), Initial: inner.duration("initial"), Max: inner.duration("max"),
		MaxElapsed: inner.duration("maxElapsed"), TotalTimeout: inner.duration("totalTimeout")}
	inner.done()
	return r
}
