// Package machine is the saga state machine. It is pure: it does no I/O, reads no clock
// and draws no random number.
//
//   - [Evolve] folds one event into the state. It alone decides what follows from what: which
//     step comes next, what is undone in which order.
//   - [Decide] turns an [Intent] (an outcome arrived, a person cancelled, time passed) into
//     events, or refuses it. It changes nothing.
//   - [State.Todo], [State.InFlight], [State.Children] and [State.Wake] say what the state
//     owes to the world. They are derived, so that recovery is nothing special: fold, then ask.
//
// The shell around it (package saga) appends what was decided at the exact revision and
// performs what is owed; on a conflict it folds again and asks again.
//
// A run's plan is a tree, and so is its state: each [Step] is an instance of a plan node.
// A step is entered going forward and completes into its parent; a subtree that is turned back
// is undone from its end to its beginning and settles into its parent. The root settles when
// everything is undone.
package machine
