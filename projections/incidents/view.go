package incidents

import "github.com/atonehq/atone/projections"

// The columns of the table.
const (
	columnNo = iota
	columnIncident
	columnRun
	columnSaga
	columnStep
	columnDirection
	columnAction
	columnAttempt
	columnKind
	columnCause
	columnOpened
	columnOpen
	columnResolved
	columnBy
	columnHow
	columnReason
	columnWords
)

// View returns the view of incidents, open and resolved. Ask it with [Find].
//
// An incident ends with the retry or resolution of its step, with the end of its run, or with the
// append after which the run is no longer stuck.
func View() projections.View {
	return projections.View{
		Name: "incidents", Version: 2,
		Tables: []projections.Table{{
			Name: "incidents",
			Columns: []projections.Column{
				{Name: "no", Type: projections.Int, Fixed: true},
				{Name: "incident", Type: projections.Text, Fixed: true},
				{Name: "run", Type: projections.Bytes, Fixed: true},
				{Name: "saga", Type: projections.Text, Fixed: true},
				{Name: "step", Type: projections.Text, Fixed: true},
				{Name: "direction", Type: projections.Text, Fixed: true},
				{Name: "action", Type: projections.Text, Fixed: true, Sparse: true},
				{Name: "attempt", Type: projections.Int, Fixed: true},
				{Name: "kind", Type: projections.Text, Fixed: true},
				{Name: "cause", Type: projections.Text, Fixed: true},
				{Name: "opened", Type: projections.Int, Fixed: true},
				{Name: "open", Type: projections.Int, Sparse: true}, // 1 while open, else nil
				{Name: "resolved", Type: projections.Int, Sparse: true},
				{Name: "by", Type: projections.Text},
				{Name: "how", Type: projections.Text},
				{Name: "reason", Type: projections.Text},
				{Name: "words", Type: projections.Text, Fixed: true},
			},
			Key:     []string{"no"},
			Indexes: [][]string{{"incident"}, {"run"}, {"open", "opened"}, {"opened"}, {"saga", "opened"}, {"action", "opened"}},
			Words:   "words",
		}},
		New: func() projections.Applier { return &applier{} },
	}
}
