// Package wire reads requests of EventStoreDB's protocol and writes its answers and refusals.
//
// It owns how names, ids, times, filters and errors look on the wire. It knows nothing of calls and
// users.
//
// Files, in reading order:
//
//   - filter.go: filters of $all
//   - newer.go: what newer clients read in answers
//   - wire.go: names, ids, times and proposed events
//   - errors.go: refusals, with the trailers that clients know
package wire
