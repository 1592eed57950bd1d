// Package next says which commands fit how a run stands.
//
// It owns the choice of steps for one run. It knows nothing of where a run was asked for.
//
// Files, in reading order:
//
//   - next.go: the steps for a run
package next
