// Package demo shows atone at work on the sign-up service of cmd/signup, with real parts: a SQLite
// table, an SMTP server, and a CRM over HTTP that is flaky on purpose. It kills the coordinating
// process with SIGKILL in mid-flight, starts it again on the same directory, and at the end asks
// the parts themselves whether every run's end is true.
package demo
