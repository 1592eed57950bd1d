// Package bulk applies one act to many runs.
//
// It owns the selection of runs by a filter, oldest first, and applies the act to each run
// separately. It knows nothing of what an act does: it reads runs and acts on them through
// functions.
//
// Files, in reading order:
//
//   - bulk.go: a bulk operation, from the request to the report
//   - choose.go: the runs that a filter selects
//   - pull.go: the act on one run
//   - foresee.go: which runs would refuse, and what cancelling them would undo
package bulk
