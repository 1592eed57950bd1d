// Package auth decides who may use the HTTP API: tokens, the sessions of people who logged in with
// a token, and the guard that checks both.
//
// It owns secrets and their hashes, and the log's stream of tokens. It knows nothing of operations:
// they ask an [Identity] for its scopes and sagas.
//
// Files, in reading order:
//
//   - guard.go: who makes a request
//   - tokens.go: tokens, as events of the log
//   - sessions.go: logins, in memory
//   - limiter.go: how often an address may fail
//   - identity.go: scopes, and what an identity may do
package auth
