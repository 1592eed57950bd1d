// Package stand tells whether two scenes of an exploration stand alike, so that they go on alike.
//
// It owns what of a run's state its future depends on, and what of it is only the past: times count
// from now, and the attempts of a step that is done do not count. It knows nothing of schedules and
// worlds.
//
// Files, in reading order:
//
//   - run.go: what of a run's state counts
//   - buf.go: parts written one after the other, and the key that they have
package stand
