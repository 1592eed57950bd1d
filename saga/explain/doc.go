// Package explain tells how a run stands, what it waits for, and what a cancel would do: it plays
// the cancel through on the state machine. It is pure: it is given a folded state and the time.
//
// It owns the answers to "how does it stand?", "why?" and "what if?". It knows nothing of who asks,
// of how the answers are shown, and of secrets but for the cloak that it is given.
//
// Files, in reading order:
//
//   - run.go: how a run stands
//   - why.go: what a run waits for, as a value
//   - standing.go: how a run stands, in a word
//   - wait.go: what one step waits for, as a value
//   - levers.go: what a person can do to a run now, and why not
//   - reach.go: the signals that a run may still await
//   - reason_text.go: the sentence about a run
//   - text.go: the sentence about one step, made of such a value alone
//   - reason_hide.go: what a run waits for, without secrets
//   - preview.go: what a cancel would do, step by step
//   - preview_hide.go: the same without secrets
package explain
