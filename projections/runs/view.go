package runs

import "github.com/atonehq/atone/projections"

// The columns of the table of runs.
const (
	columnNo = iota
	columnRun
	columnSaga
	columnVersion
	columnState
	columnStarted
	columnEnded
	columnWake
	columnKey
	columnParent
	columnWords
	columnDoc
)

// View returns the view of runs: one row for each, as it stands. Ask it with [Find] and [Get].
//
// The columns that queries filter and sort by stand beside the whole row as JSON. What runs are
// found by besides (labels, actions) is in a second table, in the order of starts, once for all
// runs and once for each saga: of two things that are common but rarely meet, neither can be
// searched through the other.
func View() projections.View {
	type column = projections.Column
	const (
		Int   = projections.Int
		Text  = projections.Text
		Bytes = projections.Bytes
	)
	return projections.View{
		Name: "runs", Version: 3,
		Tables: []projections.Table{{
			Name: "runs",
			Columns: []column{
				{Name: "no", Type: Int, Fixed: true},
				{Name: "run", Type: Bytes, Fixed: true},
				{Name: "saga", Type: Text, Fixed: true},
				{Name: "version", Type: Int, Fixed: true},
				{Name: "state", Type: Text},
				{Name: "started", Type: Int, Fixed: true},
				{Name: "ended", Type: Int, Sparse: true},
				{Name: "wake", Type: Int, Sparse: true},
				{Name: "key", Type: Text, Fixed: true, Sparse: true},
				{Name: "parent", Type: Bytes, Fixed: true, Sparse: true},
				{Name: "words", Type: Text},
				{Name: "doc", Type: Text},
			},
			Key: []string{"no"},
			Indexes: [][]string{
				{"run"}, {"started"}, {"state", "started"}, {"saga", "started"}, {"saga", "state", "started"},
				{"version", "started"}, {"ended"}, {"wake"}, {"key"}, {"parent", "started"},
			},
			Words: "words",
		}, {
			Name: "tags",
			Columns: []column{
				{Name: "tag", Type: Text, Fixed: true},
				{Name: "started", Type: Int, Fixed: true},
				{Name: "no", Type: Int, Fixed: true},
			},
			Key: []string{"tag", "started", "no"},
		}},
		New: newApplier,
	}
}
