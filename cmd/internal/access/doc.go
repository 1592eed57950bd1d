// Package access gets a command to the runs that it is about: through a server's HTTP API, or
// through the same API that this process serves on a data directory, over a pipe in memory.
//
// It owns the flags that say where the runs are and who acts, and the way in: a client of
// adapters/httpapi is all that a command gets, so that it cannot tell the two apart. It knows
// nothing of the commands.
//
// Files, in reading order:
//
//   - connection.go: the way to a server, or to the directory
//   - directory.go: a directory that this process has open, and its API
//   - views.go: the directory's views, opened when they are asked
//   - listener.go: connections in memory
//   - env.go: what a command works with, and the flags of all commands
package access
