// Package story tells what happened in a run, event by event, straight from its stream.
//
// It owns the words for an event, which the audit view uses as well, and the formats that a story
// is written in. It redacts what the run's plan keeps secret. It knows nothing of views and stores.
//
// Files, in reading order:
//
//   - write.go: a story as text, JSON or CSV
//   - story.go: telling a run, whole or event by event
//   - describe.go: one event in words
//   - short.go: durations as people say them
package story
