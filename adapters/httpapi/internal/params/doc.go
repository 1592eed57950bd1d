// Package params holds what the operations of the HTTP API take besides their bodies. The types are
// exported, in a package that is not, because huma reads embedded structs only if they are.
//
// It owns the parameters that several operations share. It knows nothing of what operations do with
// them.
//
// Files, in reading order:
//
//   - params.go: durations, times, runs, starts, pages
package params
