// Package reach notes what the runs of a search came to, and says why no run came to the rest: what
// was never played was never judged.
//
// It owns the reasons. It knows nothing of schedules and worlds.
//
// Files, in reading order:
//
//   - reach.go: what was reached
//   - missing.go: what was not, and why
package reach
