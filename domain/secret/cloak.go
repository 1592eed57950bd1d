package secret

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shortest is the least length, in bytes, of a secret value that is hidden outside of its own
// field. Shorter values (a CVC, a "yes") occur in many texts by chance.
const shortest = 4

// Cloak hides the secrets of one run. [Cloak.Learn] adds the secrets of each payload as the run is
// read. A nil Cloak, or one without fields, hides nothing and costs nothing. It is not safe for
// concurrent use.
type Cloak struct {
	fields Fields
	*known
}

// known holds the secret values seen so far.
type known struct {
	values map[string]struct{}
	// lengths holds, by their first bytes, the lengths of the values, the longest first.
	lengths map[[shortest]byte][]int
}

// NewCloak returns a cloak that hides the fields.
func NewCloak(fields Fields) *Cloak { return &Cloak{fields, &known{}} }

// Fields returns the fields that it hides.
func (c *Cloak) Fields() Fields {
	if c == nil {
		return nil
	}
	return c.fields
}

// With returns a cloak that hides more fields. Both share the known values.
func (c *Cloak) With(more Fields) *Cloak {
	if len(more) == 0 {
		return c
	}
	if c == nil {
		return NewCloak(more)
	}
	return &Cloak{slices.Concat(c.fields, more), c.known}
}

// Learn notes the values that the secret fields of payloads hold: strings of at least 4 bytes and
// numbers of at least 4 digits. Text that is not JSON adds nothing.
func (c *Cloak) Learn(payloads ...json.RawMessage) {
	if c == nil || len(c.fields) == 0 || c.fields.hasAll() {
		return
	}
	for _, p := range payloads {
		if len(p) == 0 {
			continue
		}
		w := walker{fields: c.fields, skipped: c.learnAll}
		_ = w.all(p) // learn as much as is valid JSON
	}
}

// learnAll notes every string and number in a secret value. It ignores the names of members: those
// of a struct occur in many other places.
func (c *Cloak) learnAll(value json.RawMessage) {
	w := walker{texts: func(path []string, text string) {
		if text != "true" && text != "false" {
			c.learn(text)
		}
	}}
	_ = w.all(value)
}

func (c *known) learn(text string) {
	if len(text) < shortest || text == Redacted {
		return
	}
	if _, known := c.values[text]; known {
		return
	}
	if c.values == nil {
		c.values, c.lengths = make(map[string]struct{}), make(map[[shortest]byte][]int)
	}
	c.values[text] = struct{}{}
	start := [shortest]byte([]byte(text[:shortest]))
	if l := c.lengths[start]; !slices.Contains(l, len(text)) {
		l = append(l, len(text))
		slices.SortFunc(l, func(a, b int) int { return b - a })
		c.lengths[start] = l
	}
	// Stack traces print arguments in this form.
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.learn("0x" + strconv.FormatUint(uint64(n), 16))
	}
	// JSON has bytes as base64; a program prints the bytes themselves.
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && len(raw) >= 2*shortest && utf8.Valid(raw) {
		c.learn(string(raw))
	}
}

func (c *known) knows(text string) bool {
	_, known := c.values[text]
	return known
}

// Payload returns a payload with its secrets replaced. If any field is secret, text that is not
// JSON becomes [Redacted] as a whole.
func (c *Cloak) Payload(p json.RawMessage) json.RawMessage {
	if len(p) == 0 || c == nil || len(c.fields) == 0 {
		return p
	}
	out := make([]byte, 0, len(p))
	w := walker{fields: c.fields, cloak: c, out: &out}
	if err := w.all(p); err != nil {
		return redactedJSON
	}
	return out
}

// Text returns a text with every secret value in it replaced by [Redacted].
func (c *Cloak) Text(s string) string {
	if c == nil || len(c.values) == 0 || len(s) < shortest {
		return s
	}
	var b strings.Builder
	from := 0
	for i := 0; i+shortest <= len(s); {
		n := c.at(s[i:])
		if n == 0 {
			i++
			continue
		}
		b.WriteString(s[from:i])
		b.WriteString(Redacted)
		i += n
		from = i
	}
	if from == 0 {
		return s
	}
	b.WriteString(s[from:])
	return b.String()
}

// at returns the length of the longest secret value that begins the text, or 0.
func (c *known) at(s string) int {
	for _, n := range c.lengths[[shortest]byte([]byte(s[:shortest]))] {
		if n <= len(s) && c.knows(s[:n]) {
			return n
		}
	}
	return 0
}
