// Package cause says which failures have one cause, so that people see one group where a hundred
// runs failed for the same reason.
//
// It owns the rules that take out of an error's text what differs from run to run: ids, numbers,
// times, addresses, quoted text. It is pure: the same failure has the same cause everywhere, in the
// view of incidents and where alerts are sent. It knows nothing of incidents beyond that.
//
// Files, in reading order:
//
//   - tally.go: failures counted by cause
//   - cause.go: the cause of a failure, and the group that an incident belongs to
//   - text.go: the pass over a message
//   - words.go: which words are numbers, ids, times or addresses
//   - marks.go: what is written: characters, words and marks
package cause
