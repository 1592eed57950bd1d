// Package host runs a program's coordinator on a log that this process has open.
//
// It owns the way from a data directory to a running coordinator: where the log and the views are,
// what a program adds to the coordinator, and in which order everything is opened and closed. It
// knows nothing of commands, flags, servers and terminals.
//
// Files, in reading order:
//
//   - node.go: a coordinator at work, from its start to its close
//   - worker.go: a worker, without a coordinator
//   - program.go: what a program adds, and its Setup
//   - log.go: the log of a data directory, and the tokens in it
//   - views.go: where views are kept
package host
