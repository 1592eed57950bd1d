// Package afresh starts ended runs again: a new run of the same saga, with the same input or
// another one.
//
// It owns which key and labels the new run has, and the link from the old run to the new one. It
// knows nothing of how runs are read and started: it calls functions for that.
//
// Files, in reading order:
//
//   - afresh.go: starting a run again
//   - link.go: from a run to those that were started from it
package afresh
