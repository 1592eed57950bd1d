package draw

import (
	"html/template"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

// marks are the icons of states, as paths in a square of 12 by 12, so that nobody has to tell
// states apart by colour.
var marks = map[domain.RunState]string{
	domain.RunRunning:       "M4 2.5v7L9.5 6z",
	domain.RunCompensating:  "M4.5 2 2 4.5 4.5 7M2 4.5h5.2a2.8 2.8 0 0 1 0 5.6H5",
	domain.RunIsStuck:       "M6 1.5v5.8M6 9.9v.6",
	runs.StateStuckBelow:    "M6 1.5v8.7M2.8 7.2 6 10.4l3.2-3.2",
	runs.StateBlocked:       "M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9zM2.9 2.9l6.2 6.2",
	runs.StatePaused:        "M4 2.5v7M8 2.5v7",
	runs.StateRetrying:      "M9.6 6A3.6 3.6 0 1 1 8.4 3.3M9.9 1.4v2.7H7.2",
	runs.StateWaiting:       "M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9zM6 3.6V6l1.8 1.1",
	domain.RunIsCompleted:   "M2.2 6.4 4.9 9l4.9-6",
	domain.RunIsCompensated: "M4.5 2 2 4.5 4.5 7M2 4.5h5.2a2.8 2.8 0 0 1 0 5.6H3",
	domain.RunIsCancelled:   "M3 3l6 6M9 3 3 9",
	domain.RunIsAbandoned:   "M3 10.8V1.5h6L7.6 4 9 6.5H3",
}

// Mark returns the icon of a run's state; empty for a state without one.
func Mark(s domain.RunState) template.HTML {
	path := marks[s]
	if path == "" {
		return ""
	}
	svg := `<svg class="mark" viewBox="0 0 12 12" aria-hidden="true"><path d="` + path + `"/></svg>`
	return template.HTML(svg) //nolint:gosec // the path is one of the table
}
