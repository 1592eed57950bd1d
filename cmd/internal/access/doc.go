// Package access connects a command with its runs: through a server's HTTP API, or through the same
// API that this process serves on a data directory, over a pipe in memory.
//
// It owns the flags that say where the runs are and who acts, and the connection. Commands get only
// a client of adapters/httpapi, so both ways look the same to them. It knows nothing of the
// commands.
//
// Files, in reading order:
//
//   - meant.go: the saga or action that a misspelt name may have meant
//   - connection.go: the way to a server, or to the directory
//   - silent.go: a server that does not answer, and what is not known then
//   - lost.go: since when a server gives no answer
//   - directory.go: a directory that this process has open, and its API
//   - views.go: the directory's views, opened when they are asked
//   - listener.go: connections in memory
//   - named.go: the run that a command names
//   - env.go: what a command works with, and the flags of all commands
package access
