package empty

import (
	"net/url"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/choice"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
)

// Runs stands in the place of runs.
func (p *Program) Runs(a Asked) *Page {
	const all = "Show all runs"
	a.Query = strings.TrimSpace(a.Query)
	if page := asked(a, "No run matches this search.", all, "/runs"); page != nil {
		return page
	}
	switch {
	case a.State == choice.Unfinished:
		return unmatched("Every run has ended.", all, "/runs")
	case a.State != "":
		return unmatched("No run is "+format.State(domain.RunState(a.State))+".", all, "/runs")
	case a.Behind != "":
		return behind()
	}
	return p.start(Page{Say: "No run has been started yet.", About: "Each run is listed here as soon as it starts, with what it waits for."})
}

// Audit stands in the place of acts and outcomes; any State means failures alone.
func (p *Program) Audit(a Asked) *Page {
	const all = "Show everything"
	a.Query = strings.TrimSpace(a.Query)
	if page := asked(a, "Nothing in the audit matches this search.", all, "/audit"); page != nil {
		return page
	}
	switch {
	case a.State != "":
		return unmatched("Nothing has failed.", all, "/audit")
	case a.Behind != "":
		return behind()
	}
	return p.start(Page{Say: "Nothing has happened yet.", About: "What people and actions do to runs is listed here: who, when, why, and what came of it."})
}

// Events stands in the place of domain events.
func (p *Program) Events(a Asked) *Page {
	if page := asked(a, "No domain event matches this search.", "Show all events", "/events"); page != nil {
		return page
	}
	if a.Older {
		return unmatched("There are no older events.", "Show the newest", "/events")
	}
	if a.Behind != "" {
		return behind()
	}
	return &Page{Say: "There is no domain event yet.", About: "The events that apps and actions emit are listed here, with the runs that they started or woke.",
		Command: p.command("emit", "order-placed", "-d", `{"order":42}`), Button: "See the sagas", Path: "/sagas"}
}

// Rejected stands in the place of rejected events. asked means that the reader asked for some of
// them, or for such as were settled.
func (p *Program) Rejected(asked bool) *Page {
	if asked {
		return unmatched("No rejected event is like that.", "Show the open ones", "/rejected")
	}
	return &Page{Say: "Every event has started its runs. None was rejected, or all were retried or dismissed.", About: "Events that could not start their runs are listed here, with why.",
		Command: p.command("rejected"), Button: "See the domain events", Path: "/events"}
}

// Stats stands in the place of figures of a saga, or of all, in a range of time. ever means that
// there are figures of another time.
func (p *Program) Stats(saga, within string, ever bool, lag string) *Page {
	switch {
	case ever:
		return unmatched("Nothing happened in this time.", "Show all time", "/stats?range=&saga="+url.QueryEscape(saga))
	case lag != "":
		return behind()
	case saga != "":
		return unmatched("No run of "+saga+" has been started.", "Show every saga", "/stats?range="+url.QueryEscape(within))
	}
	return p.start(Page{Say: "There is nothing to count yet.", About: "How runs end and how long they take, by saga and by action, is shown here from the first run on."})
}

// Definitions stands in the place of sagas, on the page of definitions or of what can be started.
// The button is for a program that has no actions either.
func (p *Program) Definitions(button, path string) *Page {
	page := p.start(Page{Say: "This program has no sagas.", About: "The plans of its sagas, and what they take and return, are shown here."})
	if p.First == "" {
		page.About = "Give sagas and actions to program.Main, or register them with the coordinator: their plans, and what they take and return, are shown here."
		page.Button, page.Path = button, path
	}
	return page
}

// incidents are the words for each choice of incidents.
var incidents = map[string]Page{
	"":         {Say: "Nothing is stuck. No run needs you.", About: "A run that gets stuck is listed here, with the others that failed for the same reason, until somebody settles it."},
	"retrying": {Say: "Nothing is being retried.", About: "What was retried is listed here until its step succeeds, or fails again."},
	"snoozed":  {Say: "Nothing is snoozed.", About: "Incidents and groups that somebody put off are listed here until their time is over."},
	"resolved": {Say: "Nothing has been resolved yet.", About: "Incidents are listed here once they are settled: how, by whom, and why."},
	"all":      {Say: "There has been no incident yet.", About: "Every run that got stuck is listed here, whatever became of it."},
}

// Incidents stands in the place of incidents of a state: retrying, snoozed, resolved, all, or empty
// for the open ones.
func (p *Program) Incidents(a Asked) *Page {
	cleared := "/incidents"
	if a.State != "" {
		cleared += "?state=" + url.QueryEscape(a.State)
	}
	if page := asked(a, "No incident matches this search.", "Clear the search", cleared); page != nil {
		return page
	}
	switch {
	case a.Group:
		return unmatched("The group has no such incident.", "Show all groups", "/incidents")
	case a.Older:
		return unmatched("All on this page are snoozed.", "Show what is snoozed", "/incidents?state=snoozed")
	case a.Behind != "":
		return behind()
	}
	page, words := incidents[a.State], []string{"incidents"}
	switch a.State {
	case "":
		page.Button, page.Path = "See all runs", "/runs"
	case "snoozed":
		words = append(words, "--each", "--snoozed")
	case "retrying", "resolved":
		words = append(words, "--state", a.State)
	default:
		page, words = incidents["all"], append(words, "--state", "all")
	}
	page.Command = p.command(words...)
	if page.Button == "" {
		page.Button, page.Path = "See what is stuck", "/incidents"
	}
	return &page
}

// Payloads stands in the place of the payloads of a run.
func (p *Program) Payloads(run string) *Page {
	return &Page{Say: "This run has no payloads.", About: "Its input and output, and those of its steps, are shown here. It took nothing, and no step has returned anything.",
		Command: p.command("show", run), Button: "See its timeline", Path: "/runs/" + run}
}

// Steps stands in the place of the steps of a run, as it was after the event at; search is what was
// asked of the steps.
func (p *Program) Steps(run, at, search string) *Page {
	path := "/runs/" + run
	if search != "" {
		if at != "" {
			path += "?at=" + at
		}
		return unmatched("No step is like that.", "Show all steps", path)
	}
	return &Page{Say: "No step has begun yet.", About: "Each step is shown here as soon as it begins, with how long it took.",
		Command: p.command("why", run), Button: "See its audit", Path: path + "?tab=audit"}
}
