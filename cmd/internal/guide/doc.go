// Package guide leads people to commands: groups in help, a search for commands, what a misspelt
// command or flag may have meant, and completion in shells.
//
// It owns these for the whole tree of commands. It knows nothing of what commands do.
//
// Files, in reading order:
//
//   - apply.go: all of it for a tree of commands
//   - groups.go: the groups of commands in help
//   - find.go: a search for commands
//   - meant.go: misspelt commands and flags
//   - complete.go: completion of what commands take
//   - values.go: the values that completion proposes
package guide
