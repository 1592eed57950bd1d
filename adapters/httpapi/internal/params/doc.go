// Package params has the parameters of the HTTP API's operations, without their bodies. The types
// are exported, though the package is internal, because huma reads only exported embedded structs.
//
// It owns the parameters that several operations share. It knows nothing of what operations do with
// them.
//
// Files, in reading order:
//
//   - named.go: a run by what its caller typed for it
//   - latest.go: a view asked for its latest rows
//   - events.go: which domain events are meant
//   - params.go: durations, times, runs, starts, pages
package params
