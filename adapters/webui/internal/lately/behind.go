package lately

import (
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/projections/runner"
)

// behindAfter is how old the events are that a list lacks which is behind.
const behindAfter = 5 * time.Second

// Behind is the warning for views in that state, "" for none.
func Behind(all []runner.Status) string {
	var lag time.Duration
	var events string
	for _, s := range all {
		if s.Live != nil && s.Live.Old {
			return "These lists are out of date: they were made from another log, or from events that the log has lost. They are being rebuilt. A run's own page shows what the log has."
		}
		if s.Lag > lag {
			lag, events = s.Lag, format.Plural(int(s.LagEvents), "event", "events")
			if s.LagMore {
				events = "more than " + events
			}
		}
	}
	if lag <= behindAfter {
		return ""
	}
	return "The lists are " + format.Took(lag) + " behind (" + events + "). A run's own page is always up to date."
}
