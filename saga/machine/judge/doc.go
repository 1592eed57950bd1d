// Package judge is a second opinion on runs, for tests: it reads the events of a run and says how
// the run stands, and which of the rules an event breaks.
//
// It is written from docs/formats.md and the design's rules, and shares nothing with the state
// machine but the types of the events. The machine keeps a tree of steps and moves each from phase
// to phase. The judge notes what the events say of each path, and works out everything else from
// the plan whenever it is asked. So an error in one of the two shows as a difference.
//
// It owns what an event means and when it may come. It knows nothing of decisions, of clocks beyond
// the times in events, or of package machine. README.md says what it leaves out.
//
// Files, in reading order:
//
//   - run.go: a run, one event after the other, and what can be asked of it
//   - attempts.go: what the events of attempts say of a step's effect
//   - rules.go: when an event may come
//   - step.go: what is noted of a step, and of the rules that are broken
//   - place.go: where a path stands in the plan, and what is complete
package judge
