// Package sagatest is what authors test their sagas with.
//
// It owns the words of such tests. It knows nothing of logs on disk and of how the coordinator
// works inside.
//
// [New] makes a [Kit]: a coordinator in memory, with a clock that moves only when the test wants
// it. [Start] starts a run of a saga, [StandFor] puts a [StandIn] in the place of an action, and
// [Given] tells a whole test in three sentences. [Explore] plays a saga through every way in which
// the world can answer. Tests that make coordinators of their own wait for runs with [UntilOn].
//
// Files, in reading order:
//
//   - scenario.go: given, when, then
//   - compare.go: the first difference, marked
//   - stand_in.go: an action that answers as the test says
//   - run.go: a run of a saga in a test
//   - time.go: moving the clock
//   - kit.go: a coordinator for a test, from New to its end
//   - follow.go: waiting for what coordinators that are not a kit's record
//   - settle.go: waiting until nothing moves, without asking again and again
//   - stand_ins.go: which actions have a stand-in, and what these do
//   - story.go: what happened in a run
//   - explore.go: a saga played through every way in which the world can answer
package sagatest
