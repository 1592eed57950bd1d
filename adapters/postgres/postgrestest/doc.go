// Package postgrestest starts a PostgreSQL for tests.
//
// It owns a server in a temporary directory, or the address of one that the environment names. It
// knows nothing of views.
//
// Files, in reading order:
//
//   - cluster.go: starting and stopping it
package postgrestest
