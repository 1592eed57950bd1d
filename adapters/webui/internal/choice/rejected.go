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
