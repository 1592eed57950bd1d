// Package wire holds the bodies of the HTTP API as Go types, for the server and for clients.
//
// It owns the names and shapes of what goes over the wire, and the conversions from rows of the
// views. It knows nothing of requests or who makes them.
//
// Files, in reading order:
//
//   - rows.go: rows of lists, made from those of the views
//   - wire.go: problems, runs, levers, tokens and the rest
package wire
