package choice

import (
	"net/url"
	"strings"
	"time"

	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/projections/search"
)

// Events reads from an address which domain events a page lists. The error says what can't be read.
func Events(q url.Values, now time.Time) (f events.Filter, err error) {
	f = events.Filter{Called: q.Get("stream"), Correlation: q.Get("correlation"), Before: Before(q.Get("before"))}
	if of := strings.TrimSpace(q.Get("type")); q.Get("exact") != "" && of != "" {
		f.Types = []string{of}
	} else {
		f.TypeBegins = of
	}
	f.From, f.To, err = search.Period(q.Get("since"), q.Get("until"), now)
	return f, err
}
