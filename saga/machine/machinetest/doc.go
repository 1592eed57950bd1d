// Package machinetest plays scenarios on the state machine: a plan, and what happens to its run in
// a few words, such as "ok a; fail b; tick; cancel". Each scenario leaves a transcript.
//
// It owns the words of scenarios, and the comparison of what the machine and the judge say of a
// run. It knows nothing of what tests expect of them.
//
// Files, in reading order:
//
//   - stage.go: a run, what happens to it, and its transcript
//   - plans.go: plans of small steps
//   - opinion.go: in what the machine and the judge differ
package machinetest
