// Package explore describes how a saga is played through every way in which the world can answer. A
// test plays what it describes with sagatest.Play, and a program offers it to `explore`, its own
// command, as program.App.Explorations.
//
// It owns the options of an exploration, and the edges at which handlers reach the world that they
// are explored in. It knows nothing of tests and of command lines.
//
// Files, in reading order:
//
//   - option.go: what must hold, and how far to go
//   - exploration.go: a saga over a world, and a search
//   - result.go: what a search found
//   - edge_http.go: HTTP servers without sockets
//   - edge_sql.go: databases whose commits may get lost
//   - edge_net.go: connections without sockets
//   - edge.go: calls, publishers and mail; what a call meets at an edge
package explore
