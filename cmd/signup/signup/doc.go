// Package signup is an example of a program that uses atone: three actions over small interfaces,
// and one saga that does all three or none.
//
// It shows three things. Handlers may be called again after a crash, with the same idempotency key,
// and each passes the key on to the system that it changes, so that the effect happens once. Each
// undo takes back exactly what its action did, and succeeds if there is nothing to take back.
// Errors that a retry can't mend are marked with [saga.Permanent]; all others are retried.
//
// It owns the saga, its actions, their interfaces to a users table, a mail server and a CRM, and a
// world in which they are explored. It knows nothing of logs, coordinators and command lines.
//
// Files, in reading order:
//
//   - town.go: a world in memory, and what must hold in it
//   - signup.go: the saga and its actions
//   - users_sqlite.go: the users table in SQLite
//   - mail_smtp.go: the mail server, over SMTP
//   - crm_http.go: the CRM, over HTTP
package signup
