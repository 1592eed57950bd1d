// Package program is atone's command line, for atone itself and for every program that has sagas of its own:
//
//	func main() {
//		program.Main(program.App{Name: "shop", Sagas: []saga.AnySaga{Checkout, Refund}})
//	}
//
// Commands print tables for people and, with -o json, JSON for programs. The exit codes are listed at
// [Exit] and by `help exit-codes`.
//
// To add a command: write newXCommand(env *environment) in a file of its own and add it to commands. What
// it does to runs goes through the interface backend.
package program
