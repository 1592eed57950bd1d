package audit

import "github.com/atonehq/atone/projections"

// The columns of the table.
const (
	columnPos = iota
	columnRun
	columnRevision
	columnAt
	columnSaga
	columnWhat
	columnStep
	columnDirection
	columnAttempt
	columnAction
	columnActor
	columnError
	columnNote
	columnWords
	columnFailed
)

// View returns the view of acts and outcomes: one row for each event of a run, save heartbeats. Ask
// it with [Find]. It holds no payloads: package story tells these, from the run's stream.
func View() projections.View {
	return projections.View{
		Name: "audit", Version: 3,
		Tables: []projections.Table{{
			Name: "audit",
			Columns: []projections.Column{
				{Name: "pos", Type: projections.Int, Fixed: true},
				{Name: "run", Type: projections.Bytes, Fixed: true},
				{Name: "revision", Type: projections.Int, Fixed: true},
				{Name: "at", Type: projections.Int, Fixed: true},
				{Name: "saga", Type: projections.Text, Fixed: true},
				{Name: "what", Type: projections.Text, Fixed: true},
				{Name: "step", Type: projections.Text, Fixed: true},
				{Name: "direction", Type: projections.Text, Fixed: true},
				{Name: "attempt", Type: projections.Int, Fixed: true},
				{Name: "action", Type: projections.Text, Fixed: true, Sparse: true},
				{Name: "actor", Type: projections.Text, Fixed: true},
				{Name: "error", Type: projections.Text, Fixed: true},
				{Name: "note", Type: projections.Text, Fixed: true},
				{Name: "words", Type: projections.Text, Fixed: true},
				// The time of the rows that have an error: these have an index of their own.
				{Name: "failed", Type: projections.Int, Fixed: true, Sparse: true},
			},
			Key:     []string{"pos"},
			Indexes: [][]string{{"run"}, {"at"}, {"action", "at"}, {"failed"}},
			Words:   "words",
		}},
		New: func() projections.Applier { return projections.ApplyFunc(apply) },
	}
}
