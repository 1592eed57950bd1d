// Package visible shows characters that a reader would not see, or that would change what stands
// around them: control characters, which command a terminal, and Unicode's bidirectional controls,
// which turn text round. It also writes words so that people can copy them into a shell.
//
// It owns which characters these are, and how they and the words of a shell are written. It knows
// nothing of pages and terminals: both call it.
//
// Files, in reading order:
//
//   - visible.go: the texts with those characters written out
//   - json.go: JSON as people write it
//   - instant.go: instants in a text, written anew
//   - shell.go: a word of a command line
package visible
