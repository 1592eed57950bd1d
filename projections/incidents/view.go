package incidents

import (
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/projections"
)

// The columns of the table of incidents.
const (
	columnN = iota
	columnNo
	columnIncident
	columnRun
	columnSaga
	columnAction
	columnState
	columnGroup
	columnAssignee
	columnOpened
	columnResolved
	columnSnoozed
	columnWords
	columnDoc
)

// The columns of the table of groups.
const (
	groupG = iota
	groupID
	groupSaga
	groupLive
	groupOpen
	groupLast
	groupFirst
	groupWords
	groupDoc
)

// The columns of the table of histories.
const (
	historyH = iota
	historyNo
	historyDoc
)

// View returns the view of incidents, open and resolved, and of their groups. Ask it with [Find],
// [Groups] and [History].
//
// An incident ends with the resolution of its step or the success of its retry, with the end of its
// run, or with the append after which the run is no longer stuck.
func View() projections.View {
	type column = projections.Column
	const (
		Int   = projections.Int
		Text  = projections.Text
		Bytes = projections.Bytes
	)
	return projections.View{
		Name: "incidents", Version: 3 + cause.Version,
		Tables: []projections.Table{{
			Name: "incidents",
			Columns: []column{
				{Name: "n", Type: Int, Fixed: true},
				{Name: "no", Type: Int, Fixed: true},
				{Name: "incident", Type: Text},
				{Name: "run", Type: Bytes, Fixed: true},
				{Name: "saga", Type: Text, Fixed: true},
				{Name: "action", Type: Text, Fixed: true},
				{Name: "state", Type: Text},
				{Name: "grp", Type: Text},
				{Name: "assignee", Type: Text},
				{Name: "opened", Type: Int, Fixed: true},
				{Name: "resolved", Type: Int},
				{Name: "snoozed", Type: Int}, // 0 if it is not
				{Name: "words", Type: Text},
				{Name: "doc", Type: Text}, // the Row as JSON
			},
			Key:     []string{"n"},
			Indexes: [][]string{{"incident"}, {"run"}},
			Lists:   []string{"state", "saga", "action", "grp", "assignee"},
			Ranges:  []string{"opened", "resolved", "snoozed"},
			Words:   "words",
		}, {
			Name: "groups",
			Columns: []column{
				{Name: "g", Type: Int, Fixed: true},
				{Name: "id", Type: Text, Fixed: true},
				{Name: "saga", Type: Text, Fixed: true},
				{Name: "live", Type: Int}, // 1 while one of its incidents is not resolved, else nil
				{Name: "open", Type: Int}, // how many of them are not
				{Name: "last", Type: Int},
				{Name: "first", Type: Int},
				{Name: "words", Type: Text},
				{Name: "doc", Type: Text}, // the GroupRow as JSON
			},
			Key:     []string{"g"},
			Indexes: [][]string{{"id"}},
			Lists:   []string{"saga", "live"},
			Ranges:  []string{"open", "last", "first"},
			Words:   "words",
		}, {
			Name: "history",
			Columns: []column{
				{Name: "h", Type: Int, Fixed: true},
				{Name: "no", Type: Int, Fixed: true}, // of the incident
				{Name: "doc", Type: Text, Fixed: true},
			},
			Key:     []string{"h"},
			Indexes: [][]string{{"no"}},
		}},
		New: func() projections.Applier { return &applier{} },
	}
}
