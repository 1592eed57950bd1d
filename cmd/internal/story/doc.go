// Package story shows people what happens in a run, one line an event.
//
// It owns the look of these lines, and makes them from the API's events. It knows nothing of the
// commands that show a story.
//
// Files, in reading order:
//
//   - follow.go: a run's story from the API, as it happens
//   - story.go: one line of it
package story
