// Package backward is how the browser of domain events pages back through the log.
//
// It owns where a page begins, as an address says it, and the reading from there. It knows nothing
// of what a page shows.
//
// Files, in reading order:
//
//   - place.go: places in the log, and the events before them
package backward
