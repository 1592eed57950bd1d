package runs

import (
	"strconv"

	"github.com/atonehq/atone/projections"
)

// tag adds the rows of the table of tags by which the run is found: by the tag among all runs, and
// by the tag among those of its saga.
func (r *Row) tag(rows []projections.Row, tag string) []projections.Row {
	return append(rows, projections.Row{tag, r.Started, int64(r.No)}, projections.Row{sagaTag(r.Saga, tag), r.Started, int64(r.No)})
}

// labelTag holds the length of the name, since names and values may have any letters.
func labelTag(name, value string) string {
	return "l" + strconv.Itoa(len(name)) + ":" + name + "=" + value
}

func actionTag(action string) string { return "a:" + action }

// sagaTag differs from all other tags: the name of a saga has no colon.
func sagaTag(saga, tag string) string { return saga + "/" + tag }
