// Package wire holds the bodies of the HTTP API as Go types, for the server and for clients.
//
// It owns the names and shapes of bodies, and the conversions from rows of the views. It knows
// nothing of requests or callers.
//
// Files, in reading order:
//
//   - rows.go: rows of lists, made from those of the views
//   - rejected.go: rejected events, and what is done about them
//   - wire.go: problems, runs, levers, tokens and the rest
package wire
