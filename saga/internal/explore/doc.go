// Package explore plays a saga through every way in which the world can answer, and looks for one
// that breaks an invariant. It runs the author's handlers and closures, one at a time, on a clock
// of its own, without a log.
//
// A schedule is what deviates from a run in which everything succeeds. A scene plays one: the same
// schedule over the same world always plays the same way. A search plays them all.
//
// It owns points and their answers, the order in which things happen, and the invariants that need
// no code. It knows nothing of logs and coordinators, of tests, and of how worlds are reached.
//
// Files, in reading order:
//
//   - subject.go: what is explored, and how far
//   - search.go: each single choice, each pair, and longer schedules by seed
//   - scene.go: one schedule played, from the start until everything rests
//   - state.go: two scenes that come to one state, of which one goes on
//   - order.go: which attempt moves next, and which is put aside at an edge
//   - attempt.go: how the world answers an attempt
//   - edges.go: where handlers meet the world
//   - people.go: what people, signals and events do
//   - run.go: a run in memory: decided, folded, performed
//   - check.go: what must hold
//   - ledger.go: which handlers were called, and what took effect
//   - choice.go: the schedule asked at a point
//   - story.go: what happened in a scene, in words
//   - flight.go: an attempt under way, and its handler's context
//   - page.go: the result as a page
//   - report.go: the result in words
//   - matrix.go: how each action stood each answer
//   - result.go: what a search found
//   - points.go: answers and schedules
package explore
