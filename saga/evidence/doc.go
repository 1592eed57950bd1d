// Package evidence keeps what explorations of sagas found: of which plan, with which build of the
// program, by whom.
//
// It owns the stream of these results in the log, what may be recorded, and the sentence about the
// latest result. It knows nothing of how a saga is explored, and nothing of runs: whether a plan is
// the one that is registered, its callers ask.
//
// Files, in reading order:
//
//   - evidence.go: recording results, and the latest ones
//   - standing.go: what is known of a saga, in a sentence
//   - exploration.go: a result, and what may be recorded
//   - build.go: what a program is built of
package evidence
