package choice

import (
	"maps"
	"net/url"
	"slices"

	"github.com/atonehq/atone/projections/search"
)

// everywhere are the parameters that every address takes: what a form of the page did, and what a
// list must have caught up with.
var everywhere = []string{"note", "seen"}

// address is what an address takes besides its path: its parameters, each with the values that it
// can have; nil for any.
type address map[string][]string

// form takes no more than a version.
var form = address{"version": nil}

// addresses are those of the pages that take parameters, by path.
var addresses = map[string]address{
	"/runs":                   {"q": nil, "state": nil, "saga": nil, "sort": {"oldest", "ended", "wake"}, "cursor": nil},
	"/runs/{run}":             {"tab": nil, "show": {"open", "failed"}, "scale": {"linear"}, "row": nil, "find": nil, "open": nil, "event": nil, "at": nil},
	"/runs/{run}/step":        {"path": nil, "at": nil},
	"/runs/{run}/lever/{act}": {"step": nil},
	"/incidents":              {"q": nil, "state": nil, "saga": nil, "sort": {"last", "first"}, "group": nil, "each": nil, "cursor": nil},
	"/audit":                  {"q": nil, "sort": {"oldest"}, "failed": nil, "cursor": nil},
	"/sagas/{saga}":           form,
	"/sagas/{saga}/start":     form,
	"/stats":                  {"range": {"1h", "24h", "7d"}, "saga": nil},
	"/search":                 {"q": nil, "in": nil},
	"/events":                 {"type": nil, "exact": {"1"}, "stream": nil, "correlation": nil, "since": nil, "until": nil, "before": nil},
	"/rejected":               {"state": nil, "type": nil, "saga": nil, "cursor": nil},
}

// Params refuses parameters that the page does not know, and values that they can't have: a list
// must not show everything to somebody who asked for less. page is the path as it is routed.
func Params(page string, q url.Values) error {
	takes := addresses[page]
	for _, name := range slices.Sorted(maps.Keys(q)) {
		values, known := takes[name]
		if !known && !slices.Contains(everywhere, name) {
			return search.Check("condition", name, slices.Sorted(maps.Keys(takes)))
		}
		if v := q.Get(name); values != nil && v != "" {
			if err := search.Check(name, v, values); err != nil {
				return err
			}
		}
	}
	return nil
}
