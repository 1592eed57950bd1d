// Package bulk does one thing to many runs.
//
// It owns the choice of the runs by a filter, oldest first, and doing the act to each on its own.
// It knows nothing of what an act does: it looks at runs and acts on them by functions.
//
// Files, in reading order:
//
//   - bulk.go: a bulk operation, from the request to the report
//   - choose.go: the runs that a filter selects
package bulk
