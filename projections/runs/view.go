package runs

import "github.com/atonehq/atone/projections"

// The columns of the table of runs.
const (
	columnN = iota
	columnRun
	columnSaga
	columnVersion
	columnState
	columnStarted
	columnEnded
	columnWake
	columnKey
	columnKey1
	columnKey2
	columnIDEnd
	columnParent
	columnTags
	columnAttempts
	columnWords
	columnDoc
)

// View returns the view of runs: one row for each run, with its current state. Query it with [Find]
// and [Get].
//
// The whole row is one column, as JSON. Beside it are the columns that queries filter and sort by.
func View() projections.View {
	type column = projections.Column
	const (
		Int   = projections.Int
		Text  = projections.Text
		Texts = projections.Texts
		Bytes = projections.Bytes
	)
	return projections.View{
		Name: "runs", Version: 8,
		Tables: []projections.Table{{
			Name: "runs",
			Columns: []column{
				{Name: "n", Type: Int, Fixed: true}, // counts runs from 0, the oldest first
				{Name: "run", Type: Bytes, Fixed: true},
				{Name: "saga", Type: Text, Fixed: true},
				{Name: "version", Type: Int, Fixed: true},
				{Name: "state", Type: Texts}, // see Row.States
				{Name: "started", Type: Int, Fixed: true},
				{Name: "ended", Type: Int},
				{Name: "wake", Type: Int},
				{Name: "key", Type: Text, Fixed: true, Sparse: true},
				// The first and the next 8 bytes of the key, to find it by its beginning.
				{Name: "key1", Type: Int, Fixed: true},
				{Name: "key2", Type: Int, Fixed: true},
				// The last 16 digits of the id, backwards.
				{Name: "id_end", Type: Text, Fixed: true},
				{Name: "parent", Type: Bytes, Fixed: true},
				{Name: "tags", Type: Texts}, // labels, actions, steps, the actor, searchable fields
				{Name: "attempts", Type: Int},
				{Name: "words", Type: Text}, // of its errors and of why it is blocked
				{Name: "doc", Type: Text},   // the Row as JSON
			},
			Key:     []string{"n"},
			Indexes: [][]string{{"run"}, {"key"}, {"id_end"}},
			Lists:   []string{"state", "saga", "version", "parent", "tags"},
			Ranges:  []string{"started", "ended", "wake", "attempts", "key1", "key2"},
			Words:   "words",
		}},
		New: newApplier,
	}
}
