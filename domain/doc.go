// Package domain is the vocabulary that every room shares, as plain data.
//
// It owns the events of a run and the names and JSON in which a log stores them, the hash chain
// over them, plans and policies, identifiers, the port to the log, and the errors that callers
// branch on. It knows nothing of any other room but accept, of clocks, of randomness (but for
// [NewRunID]) and of I/O.
//
// Files, in reading order:
//
//   - event.go: what can happen to a run, one struct an event
//   - attempt.go: one try of a step, as handlers and observers see it
//   - alert.go: what people are told without asking
//   - bulk.go: an act on many runs, and what came of it
//   - definition_error.go: what is wrong with a definition
//   - run_errors.go: how a run that did not complete is told to those who wait for it
//   - failure.go: what failed, how, what is said of its effect, and the longest message
//   - plan_stream.go: a plan, and which of its fields are secret, as the log holds them
//   - plan.go: a saga as data: nodes, actions, rules, and the hash that names it
//   - policy.go: retries, their delays and their jitter
//   - log.go: the log as a port: streams, revisions, positions, and what some logs can do besides
//   - log_errors.go: the errors of logs, and errors joined without repeats
//   - envelope.go: an event sealed for the log with its metadata, and read back; the hash chain
//   - wake.go: when a run next needs attention, read from its newest event
//   - run_state.go: the states of a run
//   - wire.go: the one table of wire names
//   - event_json.go: the JSON members of each event
//   - clock.go: by which clock the times of a run are
//   - json.go: the writer of JSON under all of it
//   - ids.go: the names of streams, and identifiers derived from what they identify
package domain
