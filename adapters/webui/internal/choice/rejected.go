package choice

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/saga/rejected"
)

// AtOnce is how many rejected events one form of the page acts on.
const AtOnce = 1000

// Many says which of the open events that match a form acts on.
func Many(matched int) string {
	if matched > AtOnce {
		return "the oldest " + format.Number(AtOnce)
	}
	return "all " + format.Number(int64(matched))
}

// Outcome says what an act on rejected events did, without what was refused.
func Outcome(act rejected.Act, report *rejected.Report) string {
	text := fmt.Sprintf("%s: %s done", act, format.Plural(report.Done, "event", "events"))
	if len(report.Results) == 1 && report.Done == 1 && act == rejected.Retry {
		text += "; it has started run " + report.Results[0].Run.String()
	}
	return text
}

// listed is how many events a confirmation lists.
const listed = 20

// Confirm is what an act on rejected events would be done to, for a person to confirm.
type Confirm struct {
	Act rejected.Act
	// Title is what would be done, such as "Retry 3 events"; About says what that means.
	Title, About string
	// IDs are all that it would be done to, Listed the first of those and of what would be refused;
	// Rest counts the others.
	IDs    []string
	Listed []rejected.Result
	Rest   int
	Reason string
}

// Confirmation makes a confirmation of a request and the report of its dry run.
func Confirmation(req *rejected.Request, dry *rejected.Report) *Confirm {
	c := &Confirm{Act: req.Act, Reason: req.Reason, Listed: dry.Results[:min(listed, len(dry.Results))], Rest: max(0, len(dry.Results)-listed)}
	for i := range dry.Results {
		if e := &dry.Results[i]; e.Refused == "" {
			c.IDs = append(c.IDs, e.ID.String())
		}
	}
	c.Title, c.About = "Retry ", "The trigger looks at each event again, and the run is started that it should have started, if its code now takes the event."
	if req.Act == rejected.Dismiss {
		c.Title, c.About = "Dismiss ", "No run is started for the events. They leave this list and are not counted any more; a retry can still take them up."
	}
	c.Title += format.Plural(len(c.IDs), "event", "events")
	return c
}

// Rejected is what a posted form asks of rejected events: of those that were chosen or, with all,
// of the open ones that the page's address selects. Within, if not empty, are
// the only sagas that it may concern.
func Rejected(form, address url.Values, within []string) rejected.Request {
	req := rejected.Request{Act: rejected.Act(form.Get("act")), Reason: strings.TrimSpace(form.Get("reason")), Within: within, Limit: AtOnce}
	if form.Get("all") == "" {
		req.IDs = form["incident"]
		return req
	}
	if s := address.Get("saga"); s != "" {
		req.Sagas = []string{s}
	}
	req.Type = address.Get("type")
	req.All = len(req.Sagas) == 0 && req.Type == ""
	return req
}
