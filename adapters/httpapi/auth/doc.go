// Package auth says who may use the HTTP API: tokens, the sessions of people who logged in with
// one, and the guard that checks both.
//
// It owns secrets and their hashes, and the stream of the log that tokens are kept in. It knows
// nothing of operations: those ask an [Identity] whether it has a scope and covers a saga.
//
// Files, in reading order:
//
//   - guard.go: who makes a request
//   - tokens.go: tokens, as events of the log
//   - sessions.go: logins, in memory
//   - limiter.go: how often an address may fail
//   - identity.go: scopes, and what an identity may do
package auth
