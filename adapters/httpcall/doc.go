// Package httpcall makes the HTTP calls of actions that are files (package saga/data).
//
// It owns how a call is sent: to which addresses, with which secrets, what an answer of HTTP means
// by default, and what of it is kept. It knows nothing of files, sagas and runs.
//
// Files, in reading order:
//
//   - caller.go: a call, sent
//   - reply.go: an answer, read
//   - without.go: errors
//   - secrets.go: secrets, by reference
package httpcall
