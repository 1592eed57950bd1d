package console

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// ParseRun reads a run's id, or SAGA:KEY for a run that was started with a key. It remembers the
// text for [Console.Typed].
func (c *Console) ParseRun(s string) (domain.RunID, error) {
	if id, err := uuid.Parse(s); err == nil && len(s) == 36 {
		c.typedRun(id, s)
		return id, nil
	}
	if name, key, ok := strings.Cut(s, ":"); ok && name != "" && key != "" {
		id := domain.RunIDForKey(name, key)
		c.typedRun(id, s)
		return id, nil
	}
	return domain.RunID{}, UsageError{Err: fmt.Errorf("%q is not a run: give its id, the last 6 or more digits of it, or SAGA:KEY", s)}
}

// IsRunEnd reports whether the text may be the last digits of a run's id, which narrow tables show.
func IsRunEnd(s string) bool {
	digits := strings.ToLower(strings.ReplaceAll(s, "-", ""))
	return len(digits) >= 6 && len(digits) <= 16 && strings.Trim(digits, "0123456789abcdef") == ""
}

func (c *Console) typedRun(id domain.RunID, s string) {
	if c.typed == nil {
		c.typed = make(map[domain.RunID]string)
	}
	c.typed[id] = s
}

// Typed returns a run as it was typed: SAGA:KEY, or its id.
func (c *Console) Typed(id domain.RunID) string {
	if s, ok := c.typed[id]; ok {
		return s
	}
	return id.String()
}

// TypedOnly returns the run of the command line as it was typed; empty if there is none, or more
// than one.
func (c *Console) TypedOnly() string {
	if len(c.typed) != 1 {
		return ""
	}
	for _, s := range c.typed {
		return s
	}
	return ""
}

// AsTyped replaces the ids of runs in a text by the names that were typed for them.
func (c *Console) AsTyped(text string) string {
	for id, s := range c.typed {
		text = strings.ReplaceAll(text, id.String(), s)
	}
	return text
}

// ShortID writes a run's id as narrow tables have it: its last 8 digits.
func ShortID(id domain.RunID) string { return id.String()[28:] }
