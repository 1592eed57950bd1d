// Package journal is the log as a coordinator uses it.
//
// It owns how an append goes on until its answer is known, what is known of a log by its answers
// (it failed, it is silent), and the log's own id. It knows nothing of runs: it takes events that
// are ready to be written.
//
// Files, in reading order:
//
//   - log_id.go: the id by which a log is known to brokers
//   - health.go: for how long the log has been silent
//   - journal.go: the log with what is known of it, and appending until there is an answer
//   - answers.go: what the answers to appends say of the log
package journal
