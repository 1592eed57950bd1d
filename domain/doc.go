// Package domain is the vocabulary that every room shares, as plain data.
//
// It owns the events of a run, their wire names and JSON, the hash chain over them, plans and
// policies, identifiers, the port to the log, and the errors that callers branch on. It knows
// nothing of any other room but accept, and uses no clock, no I/O and, except in [NewRunID], no
// randomness.
//
// Files, in reading order:
//
//   - event.go: what can happen to a run, one struct an event
//   - attempt.go: one try of a step, as handlers and observers see it
//   - alert.go: alerts and the sinks that deliver them
//   - bulk.go: an act on many runs, and its results
//   - definition_error.go: what is wrong with a definition
//   - run_errors.go: the errors of runs that did not complete, and how a run ended, read from them
//   - failure.go: what failed, how, whether it had an effect, and the longest message
//   - plan_stream.go: a plan, and which of its fields are secret, as the log holds them
//   - plan.go: a saga as data: nodes, actions, rules, and the hash that names it
//   - policy.go: retries, their delays and their jitter
//   - log.go: the log as a port: streams, revisions, positions, and optional abilities of logs
//   - log_errors.go: the errors of logs, and errors joined without repeats
//   - envelope.go: an event sealed for the log with its metadata, and read back; the hash chain
//   - wake.go: when a run next needs attention, read from its newest event
//   - run_state.go: the states of a run
//   - wire.go: the one table of wire names
//   - event_json.go: the JSON members of each event
//   - clock.go: which clock the times of a run come from
//   - json.go: the writer of JSON that the others use
//   - ids.go: the names of streams, and derived identifiers
package domain
