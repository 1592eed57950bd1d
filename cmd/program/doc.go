// Package program makes a program of sagas: atone's command line with actions and sagas of your
// own.
//
//	func main() {
//		program.Main(program.App{Name: "shop", Sagas: []saga.AnySaga{Checkout, Refund}})
//	}
//
// Commands print tables for people and, with -o json, JSON for programs. The exit codes are listed
// at [Exit] and by `help exit-codes`.
//
// It owns what a program says of itself ([App]), the tree of commands and the exit codes. It knows
// nothing of what the commands do: they are in the rooms below cmd/internal. To add a command,
// write it in look or act, in a file of its own, and add it to the list there.
//
// Files, in reading order:
//
//   - main.go: from a command line to an exit code
//   - app.go: what a program says of itself
//   - exit.go: exit codes, and what to do next about an error
//   - exit_server.go: the same for errors of a server
package program
