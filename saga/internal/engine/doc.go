// Package engine moves runs: it loads a run, decides, appends what was decided, and performs what
// that asks for.
//
// It owns the runs in memory, each an actor that works on it in turns, the places among MaxRuns,
// attempts that are handed to workers, and child runs. It knows nothing of recovery, of the other
// coordinators, of domain events on their way, or of alerts: they call it. [Config] has functions
// for what it needs of them: whether another coordinator lives, how something is done in the
// background, where an alert goes.
//
// Files, in reading order:
//
//   - engine.go: what the room is given, and what it is asked
//   - start.go: starting a run, once for each key
//   - wait.go: waiting for the end of a run
//   - actor.go: a run in this process, and the requests on their way through it
//   - turn.go: one turn of a run, from its requests to what is appended
//   - owed.go: what a run owes, answered until nothing is left that can be answered now
//   - evaluate.go: the saga's code, called for a step
//   - append.go: making events durable
//   - perform.go: doing what durable events ask for
//   - child.go: starting, undoing and hearing of child runs
//   - decide.go: what a turn has decided so far
//   - load.go: a run's state, from the log and to snapshots
//   - attempts.go: a run's attempts, their places and their way to the worker
//   - ending.go: how a run ended, for those who wait for it
//   - mask.go: keeping secrets out of the failures of a saga's code
//   - siblings.go: attempts whose outcomes share an append
//   - reckon.go: whose clock a run goes by
//   - unreadable.go: the runs that can't be read
//   - table.go: the runs in memory
//   - places.go: the places among MaxRuns
package engine
