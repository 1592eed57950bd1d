package search

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/story"
)

// Audit reads a search of the audit, as [Runs] does one for runs.
func Audit(text string, now time.Time, names Names) (audit.Filter, error) {
	return ofAudit.read(text, now, names)
}

// Incidents reads a search for incidents, as [Runs] does one for runs.
func Incidents(text string, now time.Time, names Names) (incidents.Filter, error) {
	return ofIncidents.read(text, now, names)
}

var ofAudit = language[audit.Filter]{
	words: auditText,
	id:    func(f *audit.Filter, id uuid.UUID) { f.Run = id },
	conditions: []condition[audit.Filter]{
		runOf("run", "of that run", func(f *audit.Filter) *domain.RunID { return &f.Run }),
		sagasOf("of that saga; repeat it for either", func(f *audit.Filter) *[]string { return &f.Sagas }),
		actionsOf("about that action; repeat it for either", func(f *audit.Filter) *[]string { return &f.Actions }),
		{name: "what", form: "what:run.paused", help: "that act or outcome; repeat it for either", set: auditWhat,
			values: func(Names, string) []string { return story.Whats() }},
		{name: "actor", form: "actor:NAME", help: "by that actor; repeat it for either", set: func(r *reading[audit.Filter], p *part) error {
			r.filter.Actors = append(r.filter.Actors, p.value)
			return nil
		}},
		{name: "step", form: "step:PATH", help: "about that step", set: func(r *reading[audit.Filter], p *part) error {
			r.filter.Step = p.value
			return r.once("step")
		}},
		textOf("with these words, or words that begin so, in an error or a search field", auditText),
		periodOf("age", "age:>2h or age:<2h", "longer ago, or less long", auditPeriod),
		periodOf("since", "since:2h or since:2026-01-31", "then or later", auditPeriod),
		periodOf("until", "until:30m or until:2026-01-31", "before", auditPeriod),
	},
}

func auditText(f *audit.Filter) *string                 { return &f.Text }
func auditPeriod(f *audit.Filter) (from, to *time.Time) { return &f.From, &f.To }

func auditWhat(r *reading[audit.Filter], p *part) error {
	r.filter.Whats = append(r.filter.Whats, p.value)
	return CheckWhats(p.value)
}

var ofIncidents = language[incidents.Filter]{
	words: incidentsText,
	id:    func(f *incidents.Filter, id uuid.UUID) { f.Run = id },
	conditions: []condition[incidents.Filter]{
		runOf("run", "of that run", func(f *incidents.Filter) *domain.RunID { return &f.Run }),
		sagasOf("of that saga; repeat it for either", func(f *incidents.Filter) *[]string { return &f.Sagas }),
		actionsOf("at a step of that action; repeat it for either", func(f *incidents.Filter) *[]string { return &f.Actions }),
		{name: "state", form: "state:open", help: "in that state; repeat it for either", set: incidentState,
			values: func(Names, string) []string { return incidentStates }},
		{name: "group", form: "group:607c4165de7b20db", help: "of that group; repeat it for either", set: incidentGroup},
		{name: "assignee", form: "assignee:NAME", help: "that somebody of that name looks after; repeat it for either", set: func(r *reading[incidents.Filter], p *part) error {
			r.filter.Assignees = append(r.filter.Assignees, p.value)
			return nil
		}},
		textOf("with these words, or words that begin so, in the cause or the step's name", incidentsText),
		periodOf("age", "age:>2h or age:<2h", "opened longer ago, or less long", incidentsPeriod),
		periodOf("since", "since:2h or since:2026-01-31", "opened then or later", incidentsPeriod),
		periodOf("until", "until:30m or until:2026-01-31", "opened before", incidentsPeriod),
	},
}

// incidentStates are the words that the condition state takes.
// snoozed is the state of incidents, besides open or retrying, that are hidden for a while.
const snoozed = "snoozed"

var incidentStates = []string{string(incidents.Open), string(incidents.Retrying), string(incidents.Resolved), snoozed}

func incidentState(r *reading[incidents.Filter], p *part) error {
	switch incidents.State(p.value) {
	case incidents.Open:
		r.filter.Open = true
	case incidents.Retrying:
		r.filter.Retrying = true
	case incidents.Resolved:
		r.filter.Resolved = true
	case snoozed:
		r.filter.Snoozed = true
	default:
		return fmt.Errorf("no state is called %s%s", p.value, didYouMean(p.value, incidentStates))
	}
	return nil
}

func incidentGroup(r *reading[incidents.Filter], p *part) error {
	if !cause.IsID(p.value) {
		return fmt.Errorf("%s is no group: give its id, 16 digits, as the lists of incidents have it", p.value)
	}
	r.filter.Groups = append(r.filter.Groups, p.value)
	return nil
}

func incidentsText(f *incidents.Filter) *string                 { return &f.Text }
func incidentsPeriod(f *incidents.Filter) (from, to *time.Time) { return &f.From, &f.To }
