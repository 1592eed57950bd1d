package empty

import (
	"net/url"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/projections/search"
)

// maxName bounds the name of a run that is said, in characters.
const maxName = 200

// Error stands in the place of a page that can't be shown.
func Error(say string) *Page { return unmatched(say, "To the runs", "/runs") }

// NoRun stands in the place of a run that does not exist. name is what it was asked for by.
func NoRun(name string) *Page {
	const late = "If it was started a moment ago, its start may not have arrived: load this page again."
	said := format.Clip(name, maxName)
	saga, _, keyed := strings.Cut(name, ":")
	if !keyed {
		return &Page{Say: "There is no run " + said + ".", About: "Runs are named by their id, its last 6 or more digits, or SAGA:KEY. " + late, Button: "To the runs", Path: "/runs"}
	}
	return &Page{Say: "There is no run " + said + ": no run of " + format.Clip(saga, maxName) + " was started with this key.", About: "Keys count letter by letter. " + late,
		Button: "See runs of " + format.Clip(saga, maxName), Path: "/runs?q=" + url.QueryEscape(search.Condition("saga", saga))}
}
