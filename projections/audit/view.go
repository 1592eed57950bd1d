package audit

import "github.com/atonehq/atone/projections"

// The columns of the table.
const (
	columnN = iota
	columnPos
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
	columnEvent
)

// View returns the view of acts and outcomes: one row for each event of a run, save heartbeats. Ask
// it with [Find]. It holds no payloads: package story reads them from the run's stream.
func View() projections.View {
	return projections.View{
		Name: "audit", Version: 5,
		Tables: []projections.Table{{
			Name: "audit",
			Columns: []projections.Column{
				{Name: "n", Type: projections.Int, Fixed: true},
				{Name: "pos", Type: projections.Int, Fixed: true},
				{Name: "run", Type: projections.Bytes, Fixed: true},
				{Name: "revision", Type: projections.Int, Fixed: true},
				{Name: "at", Type: projections.Int, Fixed: true},
				{Name: "saga", Type: projections.Text, Fixed: true},
				{Name: "what", Type: projections.Text, Fixed: true},
				{Name: "step", Type: projections.Text, Fixed: true},
				{Name: "direction", Type: projections.Text, Fixed: true},
				{Name: "attempt", Type: projections.Int, Fixed: true},
				{Name: "action", Type: projections.Text, Fixed: true},
				{Name: "actor", Type: projections.Text, Fixed: true},
				{Name: "error", Type: projections.Text, Fixed: true},
				{Name: "note", Type: projections.Text, Fixed: true},
				{Name: "words", Type: projections.Text, Fixed: true},
				// 1 where the row has an error.
				{Name: "failed", Type: projections.Int, Fixed: true},
				// The id of the domain event that started or woke the run, where one did.
				{Name: "event", Type: projections.Text, Fixed: true, Sparse: true},
			},
			Key:     []string{"n"},
			Indexes: [][]string{{"run"}},
			Lists:   []string{"saga", "what", "step", "action", "actor", "failed", "event"},
			Ranges:  []string{"at"},
			Words:   "words",
		}},
		New: func() projections.Applier { return &applier{} },
	}
}
