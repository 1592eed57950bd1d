package search

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
)

// ForRuns is what somebody typed into the search field of the runs list.
type ForRuns struct {
	Filter runs.Filter
	// Run is set where the whole text is the id of a run.
	Run domain.RunID
	// Bad lists the conditions that could not be understood.
	Bad []string
}

// Runs reads a search for runs: words of an error, and conditions such as saga:order or
// label:tenant=acme. Relative times count back from now.
func Runs(text string, now time.Time) ForRuns {
	var s ForRuns
	if id, err := uuid.Parse(strings.TrimSpace(text)); err == nil {
		s.Run = id
		return s
	}
	f := &s.Filter
	f.Text, s.Bad = read(text, func(name, value string) answer {
		switch name {
		case "saga":
			f.Sagas = append(f.Sagas, value)
		case "action":
			f.Action = value
		case "key":
			f.Key = value
		case "label":
			if f.Labels == nil {
				f.Labels = map[string]string{}
			}
			return good(accept.Label(f.Labels, value) == nil)
		case "version":
			n, err := strconv.Atoi(strings.TrimPrefix(value, "v"))
			if err != nil || n < 1 {
				return bad
			}
			f.Versions = append(f.Versions, n)
		case "parent":
			id, err := uuid.Parse(value)
			f.Parent = id
			return good(err == nil)
		default:
			return period(name, value, now, &f.From, &f.To)
		}
		return taken
	})
	return s
}

// ForAudit is what somebody typed into the search field of the audit trail.
type ForAudit struct {
	Filter audit.Filter
	// Bad lists the conditions that could not be understood.
	Bad []string
}

// Audit reads a search of the audit trail: a run's id, words of an error or a payload, and
// conditions such as actor:ada. Relative times count back from now.
func Audit(text string, now time.Time) ForAudit {
	var s ForAudit
	f := &s.Filter
	f.Text, s.Bad = read(text, func(name, value string) answer {
		switch name {
		case "":
			id, err := uuid.Parse(value)
			if err != nil {
				return word
			}
			f.Run = id
		case "saga":
			f.Sagas = append(f.Sagas, value)
		case "action":
			f.Actions = append(f.Actions, value)
		case "actor":
			f.Actors = append(f.Actors, value)
		case "what":
			f.Whats = append(f.Whats, value)
		case "step":
			f.Step = value
		default:
			return period(name, value, now, &f.From, &f.To)
		}
		return taken
	})
	return s
}

// Incidents reads a search for incidents: words of a cause or a step, and action:NAME.
func Incidents(text string) incidents.Filter {
	var f incidents.Filter
	f.Text, _ = read(text, func(name, value string) answer {
		if name != "action" {
			return word
		}
		f.Actions = append(f.Actions, value)
		return taken
	})
	return f
}

// Condition writes a condition as a search reads it: a value with spaces is put in quotes.
func Condition(name, value string) string {
	value = strings.ReplaceAll(value, `"`, "")
	if strings.Contains(value, " ") {
		value = `"` + value + `"`
	}
	return name + ":" + value
}
