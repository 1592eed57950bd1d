// Package decode reads recorded events of runs fast, since a rebuild of the views reads every one.
//
// It owns the shortcuts for the events that a log has most of. It knows nothing of what an event
// means; whatever it does not expect it leaves to package domain, so that the answer is the same.
//
// Files, in reading order:
//
//   - decode.go: events and their metadata
//   - scan.go: the members of a JSON object, and their values
package decode
