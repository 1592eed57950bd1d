// Package machine is the saga state machine. A run's plan is a tree, and so is its state: each
// [Step] is an instance of a plan node. A step is entered going forward and completes into its
// parent; a subtree that is turned back is undone from its end to its beginning and settles into
// its parent. The root settles when everything is undone.
//
// It owns the rules of a run: [Evolve] folds one event, and [Decide] turns an [Intent] into events
// or refuses it. It is pure. It knows nothing of I/O, clocks, randomness, the code of definitions,
// or how people are told.
//
// What a run owes now has one answer in two halves, both derived from the state, so that recovery
// is: fold, then ask. [State.Todo] lists what is still to be decided; its answers are events, to be
// made durable first. [State.InFlight], [State.Children] and [State.StuckSteps] list what the
// durable state has under way outside. [State.Wake] says when to ask again.
//
// Files, in reading order:
//
//   - decide.go: intents, why they are refused, and those that answer what is owed
//   - command.go: what people, signals, events and child runs want
//   - tick.go: time passed
//   - outcome.go: how an attempt ended
//   - evolve.go: one event folded
//   - attempt.go: the events of attempts folded
//   - forward.go: what a completed step leads to
//   - backward.go: what is undone, in which order
//   - snapshot.go: a state written and read
//   - clone.go: a state copied, and told from others
//   - wake.go: when the run next needs attention
//   - todo.go: what is to be decided now; steps left out of it until a place is free
//   - world.go: what is under way outside of the machine
//   - reckon.go: the times of a run moved to another clock
//   - inputs.go: inputs that the machine makes itself
//   - waits.go: a step moved to another phase, and the index of those that wait
//   - step.go: what can be asked of a step, how one is made, and the policies in force
//   - lists.go: a list of steps
//   - state.go: phases, attempts counted, a step, a run
package machine
