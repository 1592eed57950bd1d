// Package demo shows atone at work on the sign-up service of cmd/signup, with real parts: a SQLite
// table, an SMTP server, and a CRM over HTTP that is flaky on purpose.
//
// It owns the show: it kills the coordinating process with SIGKILL in mid-flight, starts it again
// on the same directory, and at the end checks in the systems themselves that each run ended as the
// log says. It knows nothing of how the sign-up service is written.
//
// Files, in reading order:
//
//   - command.go: the command demo
//   - demo.go: the show, from its first act to its last
//   - report.go: the result of the demo
//   - leave.go: the runs that are left for people to steer
//   - check.go: the invariants that must hold
//   - worker.go: the process that is killed
//   - screen.go: what people see meanwhile
//   - board.go: the runs on the screen
//   - story.go: the story of one run
//   - people.go: who signs up
//   - mailserver.go: the mail server
//   - crmserver.go: the CRM
package demo
