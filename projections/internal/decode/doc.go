// Package decode reads recorded events of runs fast, because a rebuild of the views reads all of
// them.
//
// It owns shortcuts for the most frequent events. It knows nothing of what an event means, and
// leaves everything unexpected to package domain, so the results are the same.
//
// Files, in reading order:
//
//   - decode.go: events and their metadata
//   - scan.go: the members of a JSON object, and their values
package decode
