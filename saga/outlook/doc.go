// Package outlook tells what can still become of a run: which acts of a person lead to which ends,
// given what the world may answer next. It plays every act through on the state machine itself, on
// copies of the run's state. It is pure: it calls no handler and writes nothing.
//
// The world answers in all the ways that change where a run ends: an attempt succeeds, is refused,
// fails until the last one, or leaves its effect in doubt; a probe says one of three things; what
// is awaited comes or never does; a child run completes, is undone, or waits for ever. Left out are
// outcomes that come late, crashes, and what people do after the act.
//
// It owns the acts, the answers, the ends and the sentences about them. It knows nothing of how the
// code of a saga is called: it is given a [Code]. It knows nothing of logs and coordinators either.
//
// Files, in reading order:
//
//   - outlook.go: the outlook on a run as a value
//   - acts.go: what a person can do now
//   - search.go: what follows from an act, the fewest surprises first
//   - play.go: one course of events, until nothing moves
//   - owed.go: what the run owes, and code that needs what is not recorded yet
//   - end.go: what a course of events has come to
//   - world.go: how the world may answer
//   - course.go: a course of events: events decided and folded, time passed, copies
//   - words.go: the sentences
//   - hide.go: the same without secrets
//   - tokens.go: what stands for values that are not recorded yet
//   - code.go: the saga's code as an outlook calls it
package outlook
