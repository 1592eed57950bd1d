// Package program turns your sagas into a program: atone's command line, with your own actions and
// sagas.
//
//	func main() {
//		program.Main(program.App{Name: "shop", Sagas: []saga.AnySaga{Checkout, Refund}})
//	}
//
// Commands print tables for people and, with -o json, JSON for programs. The exit codes are listed
// at [Exit] and by `help exit-codes`.
//
// It owns a program's description ([App]), the tree of commands and the exit codes. It knows
// nothing of what the commands do: they are in the packages below cmd/internal. To add a command,
// write it in look or act, in its own file, and add it to the list there.
//
// Files, in reading order:
//
//   - main.go: from a command line to an exit code
//   - words.go: an error in words
//   - app.go: the description of a program
//   - exit.go: exit codes, and what to do next about an error
//   - exit_server.go: the same for errors of a server
package program
