package visible

import (
	"regexp"
	"time"
)

// instant matches an instant in UTC as failures and notes have it.
var instant = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

// Instants has the instants in a text written anew, such as in the reader's zone.
func Instants(text string, write func(time.Time) string) string {
	return instant.ReplaceAllStringFunc(text, func(s string) string {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return s
		}
		return write(at)
	})
}
