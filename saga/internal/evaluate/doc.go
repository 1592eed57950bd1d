// Package evaluate calls the code of a saga for what a run owes, and makes the answer an intent of
// the state machine.
//
// It owns which expression answers which step, and what is refused of its answers. It knows nothing
// of logs, places and workers: [Code.Call] contains the code.
//
// Files, in reading order:
//
//   - recorded.go: the code as an outlook calls it, on what is recorded alone
//   - evaluate.go: the intent that answers a duty
package evaluate
